"""What the SQL models say, table by table, on small raw rows written out in each test."""
