-- One row per rule that names a request's application; the first that fits wins.
select
    position,
    subject,
    key,
    pattern,
    application,
from raw.application_rules
