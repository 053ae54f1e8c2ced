"""Every page of the Price List is asked for."""

from usage_pipeline.aws.price_list import list_products
from usage_pipeline_tests.aws.canned_aws import canned_client, pages


def test_products_of_all_pages_are_listed() -> None:
    products = [f'{{"sku": "{number}"}}' for number in range(250)]
    client, calls = canned_client("pricing", {"GetProducts": pages("PriceList", products, 100, "NextToken")})
    assert list_products(client, "AmazonBedrock") == products
    assert [asked for _, asked in calls] == [
        {"ServiceCode": "AmazonBedrock", "FormatVersion": "aws_v1", "MaxResults": 100},
        {"ServiceCode": "AmazonBedrock", "FormatVersion": "aws_v1", "MaxResults": 100, "NextToken": "100"},
        {"ServiceCode": "AmazonBedrock", "FormatVersion": "aws_v1", "MaxResults": 100, "NextToken": "200"},
    ]
