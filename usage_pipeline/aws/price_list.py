"""Asks AWS's Price List for all products of Bedrock.

Not here: what a product's price is for (`prices/price_list.py`).
"""

from typing import Any

PRICING_REGION = "us-east-1"
"""The Price List has no endpoint in most Regions; this one answers for all of the partition `aws`."""


def list_products(client: Any, service_code: str) -> list[str]:
    """Every product of a service as the JSON text that AWS gives. `client` is boto3's for `pricing`."""
    pages = client.get_paginator("get_products").paginate(
        ServiceCode=service_code, FormatVersion="aws_v1", PaginationConfig={"PageSize": 100}
    )
    return [product for page in pages for product in page["PriceList"]]
