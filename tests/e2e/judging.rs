//! Every verdict, and the exit status that goes with it.

use crate::support::openssl::{Key, Signing};
use crate::world::World;

#[test]
fn all_six_keys_and_both_forms_are_judged_trusted_offline() {
    const TEST: &str = "all_six_keys_and_both_forms_are_judged_trusted_offline";
    let Some(mut world) = World::new(TEST, &[]) else { return };
    world.signed_layout("l", &Signing::default());
    world.export("l");
    world.stop_serving();
    let out = world.user.offline(&["verify", "l.tar"]).ends(0);
    println!("{out:?}");
}
