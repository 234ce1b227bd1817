//! What an endpoint is and who made it: EndpointType and what is in it.

use super::{H221NonStandard, NonStandardParameter, SupportedProtocols};
use crate::h323::per::{Bmp, List, Number, Octets, Oid, sequence};

/// EndpointIdentifier.
pub type EndpointIdentifier<'a> = Bmp<'a, 128>;
/// TimeToLive, in seconds.
pub type TimeToLive = Number<1, 0xffff_ffff>;

sequence! {
    /// VendorIdentifier.
    VendorIdentifier<'a> {
        needs vendor: H221NonStandard,
        may product_id: Octets<'a, 1, 256>,
        may version_id: Octets<'a, 1, 256>,
    } additions 1 {
        0 enterprise_number: Oid<'a>,
    }
}

sequence! {
    /// EndpointType.
    EndpointType<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        may vendor: VendorIdentifier<'a>,
        may gatekeeper: BareInfo<'a>,
        may gateway: GatewayInfo<'a>,
        may mcu: McuInfo<'a>,
        may terminal: BareInfo<'a>,
        needs mc: bool,
        needs undefined_node: bool,
    } additions 2 {
        0 set: [u8; 4],
    }
}

sequence! {
    /// GatekeeperInfo and TerminalInfo, which are alike.
    BareInfo<'a> {
        may non_standard_data: NonStandardParameter<'a>,
    } additions 0 {}
}

sequence! {
    /// GatewayInfo.
    GatewayInfo<'a> {
        may protocol: List<'a, SupportedProtocols<'a>>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 0 {}
}

sequence! {
    /// McuInfo.
    McuInfo<'a> {
        may non_standard_data: NonStandardParameter<'a>,
    } additions 1 {
        0 protocol: List<'a, SupportedProtocols<'a>>,
    }
}
