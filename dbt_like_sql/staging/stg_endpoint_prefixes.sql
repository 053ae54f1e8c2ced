-- One row per known prefix of a system inference profile id.
select
    prefix,
    endpoint_type,
from raw.endpoint_prefixes
