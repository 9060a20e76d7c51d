//! SignedData (RFC 5652) as far as RFC 3161 tokens need it.
