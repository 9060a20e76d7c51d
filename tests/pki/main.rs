//! Certificates, chains, CRLs and timestamp tokens against openssl's and the Notation reference's output.

mod chains;
mod crls;
mod forms;
mod mutations;
mod openssl;
mod tokens;
mod vectors;
