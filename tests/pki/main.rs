//! Certificates, chains, CRLs and timestamp tokens against openssl's and the Notation reference's output.

mod chains;
mod crls;
mod mutations;
mod openssl;
mod tokens;
mod vectors;
