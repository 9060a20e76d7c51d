//! The bundle format, archives of other tools, and layouts on disk.

#[path = "archive/damage.rs"]
mod damage;
#[path = "archive/fixture.rs"]
mod fixture;
#[path = "archive/foreign.rs"]
mod foreign;
#[path = "archive/layout.rs"]
mod layout;
#[path = "archive/roundtrip.rs"]
mod roundtrip;
#[path = "archive/schema.rs"]
mod schema;
