"""What is measured against a limit or a peer; run by hand with `make bench`, never by the tests."""
