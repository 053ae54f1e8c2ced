"""The raw tables of Amazon Q Developer and Kiro: prompts as logged, activity as AWS reports it, limits and prices.

Here: names, columns, types and one line on what each row is. Not here: the other raw tables (`raw_tables.py`), reading
and parsing (`aws/`, `q_developer/`). Metrics are as the user guide of Amazon Q Developer explains them (user activity
report metrics, November 2026).
"""

from usage_pipeline.stored_table import StoredTable, columns_of

_PLACE = """
    account_id | varchar | account of the subscription, from the object's key
    region | varchar | Region of the Amazon Q Developer or Kiro profile, from the object's key
    product | varchar | q_developer or kiro, from the object's key
"""

_USER = """
    user_id | varchar | IAM Identity Center's user id, without the identity store's; an ARN for IAM identities
    logged_user_id | varchar | the user id as AWS wrote it
"""

Q_DEVELOPER_PROMPTS = StoredTable(
    "raw",
    "q_developer_prompts",
    "One row per request that prompt logging of Amazon Q Developer or Kiro recorded, counted once however often it was "
    "delivered. Its texts were counted and dropped.",
    columns_of(
        """
        usage_date | date | UTC day of `ts`
        ts | timestamp | when it was asked, UTC
        """
        + _PLACE
        + """
        kind | varchar | chat, inline (completions) or dev (/dev)
        request_id | varchar | AWS's request id; NULL when the record has none
        record_hash | varchar | SHA-256 of the record, by which copies are known when there is no request id
        conversation_id | varchar | the conversation of a chat or /dev; NULL for inline
        """
        + _USER
        + """
        trigger_type | varchar | how a chat was begun, such as MANUAL or INLINE_CHAT
        model_id | varchar | the model as Kiro names it; NULL where the log names none
        customization_arn | varchar | the customization that was used, if any
        input_tokens | bigint | tokens of the prompt, or of the code around the cursor; NULL when it was not logged
        output_tokens | bigint | tokens of the answer, or of all completions; NULL when it was not logged, as of /dev
        token_source | varchar | counted (by a public tokenizer, o200k_base) or estimated (from bytes); NULL if none
        input_characters | bigint | characters (Unicode code points) of what input_tokens counts
        output_characters | bigint | characters (Unicode code points) of what output_tokens counts
        completion_count | bigint | completions that were offered; NULL unless inline
        code_reference_count | bigint | references to public code in an answer; NULL unless chat
        web_link_count | bigint | web links in an answer; NULL unless chat
        """
    ),
    "usage_date",
)

_METRICS = """
    chat_ai_code_lines | bigint | lines of code from chat that were inserted
    chat_messages_interacted | bigint | chat messages that the user did something with
    chat_messages_sent | bigint | chat messages to and from the assistant: prompts and answers
    code_fix_acceptance_event_count | bigint | code fixes that were accepted
    code_fix_accepted_lines | bigint | lines of accepted code fixes
    code_fix_generated_lines | bigint | lines of generated code fixes
    code_fix_generation_event_count | bigint | code fixes that were generated
    code_review_failed_event_count | bigint | code reviews that failed
    code_review_findings_count | bigint | findings of code reviews
    code_review_succeeded_event_count | bigint | code reviews that succeeded
    dev_acceptance_event_count | bigint | generations of /dev that were accepted
    dev_accepted_lines | bigint | lines of /dev that were accepted
    dev_generated_lines | bigint | lines that /dev generated
    dev_generation_event_count | bigint | generations of /dev
    doc_generation_accepted_file_updates | bigint | file updates of /doc that were accepted
    doc_generation_accepted_files_creations | bigint | new files of /doc that were accepted
    doc_generation_accepted_line_additions | bigint | line additions of /doc that were accepted
    doc_generation_accepted_line_updates | bigint | line updates of /doc that were accepted
    doc_generation_event_count | bigint | uses of /doc
    doc_generation_rejected_file_creations | bigint | new files of /doc that were rejected
    doc_generation_rejected_file_updates | bigint | file updates of /doc that were rejected
    doc_generation_rejected_line_additions | bigint | line additions of /doc that were rejected
    doc_generation_rejected_line_updates | bigint | line updates of /doc that were rejected
    inline_chat_accepted_line_additions | bigint | line additions of inline chat that were accepted
    inline_chat_accepted_line_deletions | bigint | line deletions of inline chat that were accepted
    inline_chat_acceptance_event_count | bigint | suggestions of inline chat that were accepted
    inline_chat_dismissal_event_count | bigint | suggestions of inline chat that were dismissed
    inline_chat_dismissed_line_additions | bigint | line additions of inline chat that were dismissed
    inline_chat_dismissed_line_deletions | bigint | line deletions of inline chat that were dismissed
    inline_chat_total_event_count | bigint | uses of inline chat
    inline_chat_rejected_line_additions | bigint | line additions of inline chat that were rejected
    inline_chat_rejected_line_deletions | bigint | line deletions of inline chat that were rejected
    inline_chat_rejection_event_count | bigint | suggestions of inline chat that were rejected
    inline_ai_code_lines | bigint | lines of inline suggestions that were accepted
    inline_acceptance_count | bigint | inline suggestions that were accepted
    inline_suggestions_count | bigint | inline suggestions that were shown
    test_generation_accepted_lines | bigint | lines of generated tests that were accepted
    test_generation_accepted_tests | bigint | generated tests that were accepted
    test_generation_event_count | bigint | uses of /test
    test_generation_generated_lines | bigint | lines of generated tests
    test_generation_generated_tests | bigint | generated tests
    transformation_event_count | bigint | uses of /transform, other than its command line's
    transformation_lines_generated | bigint | lines that transformations generated
    transformation_lines_ingested | bigint | lines of code that were given to transformations
"""

Q_DEVELOPER_ACTIVITY = StoredTable(
    "raw",
    "q_developer_activity",
    "One row per user, day and activity report of Amazon Q Developer or Kiro, and per client in Kiro's user_report. A "
    "report has users with activity only. What a report does not say is NULL.",
    columns_of(
        """
        usage_date | date | the day that the report is about, UTC
        """
        + _PLACE
        + """
        report | varchar | by_user_analytic (46 columns) or user_report (Kiro's)
        """
        + _USER
        + _METRICS
        + """
        client_type | varchar | KIRO_IDE, KIRO_CLI or PLUGIN; NULL in by_user_analytic
        subscription_tier | varchar | the user's subscription as Kiro names it; NULL in by_user_analytic
        profile_id | varchar | the Kiro profile; NULL in by_user_analytic
        user_email | varchar | the user's address, where Kiro reports it
        chat_conversations | bigint | conversations; NULL in by_user_analytic
        total_messages | bigint | messages to and from Kiro; NULL in by_user_analytic
        credits_used | decimal(18, 6) | Kiro credits used; NULL in by_user_analytic
        overage_credits_used | decimal(18, 6) | Kiro credits used beyond the subscription's
        overage_cap | decimal(18, 6) | most Kiro credits that may be used beyond the subscription's
        usage_limit | decimal(18, 6) | Kiro credits of the subscription, where the report has them
        overage_enabled | boolean | whether credits beyond the subscription's may be used
        new_user | boolean | whether the user is new
        messages_by_model | map(varchar, bigint) | messages by model, as the columns of user_report name it
        reported_at | timestamp | when AWS wrote the report, UTC, from its name; of two reports the later counts
        missing_columns | varchar[] | columns of this kind of report that the file did not have
        added_columns | varchar[] | columns of the file that are stored nowhere
        """
    ),
    "usage_date",
)

Q_DEVELOPER_TERMS = StoredTable(
    "raw",
    "q_developer_terms",
    "One row per limit, price or other number by which use of Amazon Q Developer and Kiro is judged, by product, tier "
    "and validity; rows of the configuration win.",
    columns_of("""
        term | varchar | dev_runs_per_month, transformation_lines_per_month, credits_per_month, usd_per_seat, …
        account_name | varchar | account of the configuration, or * for all
        product | varchar | q_developer, kiro, or * for both
        subscription_tier | varchar | glob over the tier in capitals; the longest that matches wins
        value | decimal(18, 6) | in the unit that the term names
        valid_from | date | first UTC day
        valid_to | date | last UTC day, inclusive; NULL while it holds
        is_configured | boolean | whether it is of the configuration, and not of the reference file
        source | varchar | where it is from, with a date
    """),
)

Q_DEVELOPER_TOKEN_ESTIMATES = StoredTable(
    "raw",
    "q_developer_token_estimates",
    "One row per metric of activity and validity: how many tokens one unit of it may stand for.",
    columns_of("""
        metric | varchar | column of raw.q_developer_activity
        input_low | bigint | tokens that one unit sends, if there are few
        input_mean | bigint | the same, usually
        input_high | bigint | the same, if there are many
        output_low | bigint | tokens that one unit is answered with, if there are few
        output_mean | bigint | the same, usually
        output_high | bigint | the same, if there are many
        valid_from | date | first UTC day
        valid_to | date | last UTC day, inclusive; NULL while it holds
        source | varchar | where it is from, with a date
    """),
)

Q_DEVELOPER_TABLES = (Q_DEVELOPER_PROMPTS, Q_DEVELOPER_ACTIVITY)
"""What is read from AWS."""

Q_DEVELOPER_TERM_TABLES = (Q_DEVELOPER_TERMS, Q_DEVELOPER_TOKEN_ESTIMATES)
"""What is judged by: from this project's files and the configuration."""
