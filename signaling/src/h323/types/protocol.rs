//! Protocols that somebody speaks: SupportedProtocols.

use super::{AliasAddress, BandWidth, NonStandardParameter};
use crate::h323::per::{List, Number, choice, sequence};

choice! {
    /// SupportedProtocols.
    SupportedProtocols<'a> {
        root 9 {
            0 NonStandardData(NonStandardParameter<'a>),
            1 H310(ProtocolCaps<'a>),
            2 H320(ProtocolCaps<'a>),
            3 H321(ProtocolCaps<'a>),
            4 H322(ProtocolCaps<'a>),
            5 H323(ProtocolCaps<'a>),
            6 H324(ProtocolCaps<'a>),
            7 Voice(ProtocolCaps<'a>),
            8 T120Only(ProtocolCaps<'a>),
        }
        additions {
            0 NonStandardProtocol(NonStandardProtocol<'a>),
            2 Sip(SipCaps<'a>),
        }
    }
}

sequence! {
    /// H310Caps, H320Caps and so on, which are alike.
    ProtocolCaps<'a> {
        may non_standard_data: NonStandardParameter<'a>,
    } additions 2 {
        0 data_rates_supported: List<'a, DataRate<'a>>,
        1 supported_prefixes: List<'a, SupportedPrefix<'a>>,
    }
}

sequence! {
    /// NonStandardProtocol.
    NonStandardProtocol<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        may data_rates_supported: List<'a, DataRate<'a>>,
        needs supported_prefixes: List<'a, SupportedPrefix<'a>>,
    } additions 0 {}
}

sequence! {
    /// SIPCaps.
    SipCaps<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        may data_rates_supported: List<'a, DataRate<'a>>,
        may supported_prefixes: List<'a, SupportedPrefix<'a>>,
    } additions 0 {}
}

sequence! {
    /// DataRate.
    DataRate<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        needs channel_rate: BandWidth,
        may channel_multiplier: Number<1, 256>,
    } additions 0 {}
}

sequence! {
    /// SupportedPrefix.
    SupportedPrefix<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        needs prefix: AliasAddress<'a>,
    } additions 0 {}
}
