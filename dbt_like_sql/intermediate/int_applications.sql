-- One row per UTC day, caller, profile and looked-at metadata for which a rule names the application.
--
-- Of the rules that fit the role, user, session, metadata or profile tag, the first of the configuration wins
-- (`rule_position`). A pattern is held against the whole text; its group 1, where it has one, is the name. Calls that
-- no rule names have no row.
with uses as (
    select distinct
        usage_date,
        account_id,
        region,
        profile_id,
        principal_arn,
        metadata_keys,
        metadata_values,
    from intermediate.int_calls
    where usage_date between $start_date and $end_date
),

caller_texts as (
    select
        usage_date,
        principal_arn,
        'role' as subject,
        role_name as text,
    from intermediate.int_callers
    where usage_date between $start_date and $end_date and role_name is not null

    union all by name

    select
        usage_date,
        principal_arn,
        'user' as subject,
        user_name as text,
    from intermediate.int_callers
    where usage_date between $start_date and $end_date and user_name is not null

    union all by name

    select
        usage_date,
        principal_arn,
        'session' as subject,
        session_name as text,
    from intermediate.int_callers
    where usage_date between $start_date and $end_date and session_name is not null
),

metadata_texts as (
    select distinct
        'metadata' as subject,
        metadata_keys,
        metadata_values,
        unnest(metadata_keys) as key,
        unnest(metadata_values) as text,
    from uses
),

tag_texts as (
    select
        profiles.account_id,
        profiles.region,
        profiles.profile_id,
        rules.key,
        profiles.tags[rules.key] as text,
    from intermediate.int_profiles_rated as profiles
    inner join staging.stg_application_rules as rules on rules.subject = 'tag'
    where text is not null
    group by all
),

texts as (
    select
        subject,
        null::varchar as key,
        text,
    from caller_texts
    union
    select
        subject,
        key,
        text,
    from metadata_texts
    where text is not null
    union
    select
        'tag' as subject,
        key,
        text,
    from tag_texts
),

fitting as (
    select
        texts.subject,
        texts.key,
        texts.text,
        rules.position,
        coalesce(
            rules.application,
            regexp_extract(texts.text, '^(?:' || rules.pattern || ')$', 1)
        ) as application,
    from texts
    inner join staging.stg_application_rules as rules
        on
            texts.subject = rules.subject
            and texts.key is not distinct from rules.key
            and regexp_full_match(texts.text, rules.pattern)
),

named as (
    select
        subject,
        key,
        text,
        min(position) as position,
        arg_min(application, position) as application,
    from fitting
    where application <> ''
    group by subject, key, text
),

by_caller as (
    select
        caller_texts.usage_date,
        caller_texts.principal_arn,
        min(named.position) as position,
        arg_min(named.application, named.position) as application,
    from caller_texts
    inner join named using (subject, text)
    group by caller_texts.usage_date, caller_texts.principal_arn
),

by_metadata as (
    select
        metadata_texts.metadata_values,
        min(named.position) as position,
        arg_min(named.application, named.position) as application,
    from metadata_texts
    inner join named using (subject, key, text)
    group by metadata_texts.metadata_values
),

by_tag as (
    select
        tag_texts.account_id,
        tag_texts.region,
        tag_texts.profile_id,
        min(named.position) as position,
        arg_min(named.application, named.position) as application,
    from tag_texts
    inner join named on named.subject = 'tag' and tag_texts.key = named.key and tag_texts.text = named.text
    group by tag_texts.account_id, tag_texts.region, tag_texts.profile_id
)

select
    uses.usage_date,
    uses.account_id,
    uses.region,
    uses.profile_id,
    uses.principal_arn,
    uses.metadata_values,
    least(by_caller.position, by_metadata.position, by_tag.position) as rule_position,
    case rule_position
        when by_caller.position then by_caller.application
        when by_metadata.position then by_metadata.application
        else by_tag.application
    end as application,
from uses
left join by_caller using (usage_date, principal_arn)
left join by_metadata using (metadata_values)
left join by_tag using (account_id, region, profile_id)
where rule_position is not null
