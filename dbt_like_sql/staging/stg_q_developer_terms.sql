-- One row per limit, price or other term of Amazon Q Developer and Kiro, by account, product, tier and validity.
select
    term,
    account_name,
    product,
    subscription_tier,
    value,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to,
    is_configured,
    source,
from raw.q_developer_terms
