//! docker_registry
