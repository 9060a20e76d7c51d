//! Building the path of a timestamp authority (RFC 5280 §6, conformance 9.23).

use super::{Certificate, ChainError, ConformingChain};
use crate::limits::Limits;
use crate::time::UnixTime;

/// Builds a chain from `leaf` to one of `roots`, with intermediates from `candidates` and `roots`, that is valid at `at`
/// and conforms to [`super::Profile::Timestamping`].
pub fn build_timestamping_chain(
    _leaf: &Certificate,
    _candidates: &[Certificate],
    _roots: &[Certificate],
    _at: UnixTime,
    _limits: &Limits,
) -> Result<ConformingChain, ChainError> {
    unimplemented!()
}
