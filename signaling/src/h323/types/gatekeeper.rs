//! Other gatekeepers: whom to turn to instead.

use super::TransportAddress;
use crate::h323::per::{Bmp, List, Number, sequence};

/// GatekeeperIdentifier.
pub type GatekeeperIdentifier<'a> = Bmp<'a, 128>;

sequence! {
    /// AlternateGK; the least `priority` is asked first.
    AlternateGk<'a> {
        needs ras_address: TransportAddress<'a>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        needs need_to_register: bool,
        needs priority: Number<0, 127>,
    } additions 0 {}
}

sequence! {
    /// AltGKInfo.
    AltGkInfo<'a> {
        needs alternate_gatekeeper: List<'a, AlternateGk<'a>>,
        needs alt_gk_is_permanent: bool,
    } additions 0 {}
}
