//! killing
