//! How many calls somebody can take and takes: CallCapacity.

use crate::h323::per::{Ia5, List, Number, Octets, sequence};

sequence! {
    /// CallCapacity.
    CallCapacity<'a> {
        may maximum_call_capacity: CallCapacityInfo<'a>,
        may current_call_capacity: CallCapacityInfo<'a>,
    } additions 0 {}
}

sequence! {
    /// CallCapacityInfo: calls by their kind, perhaps by groups.
    CallCapacityInfo<'a> {
        may voice_gw_calls_available: Calls<'a>,
        may h310_gw_calls_available: Calls<'a>,
        may h320_gw_calls_available: Calls<'a>,
        may h321_gw_calls_available: Calls<'a>,
        may h322_gw_calls_available: Calls<'a>,
        may h323_gw_calls_available: Calls<'a>,
        may h324_gw_calls_available: Calls<'a>,
        may t120_only_gw_calls_available: Calls<'a>,
        may t38_fax_annexb_only_gw_calls_available: Calls<'a>,
        may terminal_calls_available: Calls<'a>,
        may mcu_calls_available: Calls<'a>,
    } additions 1 {
        0 sip_gw_calls_available: Calls<'a>,
    }
}

type Calls<'a> = List<'a, CallsAvailable<'a>>;

sequence! {
    /// CallsAvailable.
    CallsAvailable<'a> {
        needs calls: Number<0, 0xffff_ffff>,
        may group: Ia5<'a, 1, 128>,
    } additions 1 {
        0 carrier: CarrierInfo<'a>,
    }
}

sequence! {
    /// CarrierInfo.
    CarrierInfo<'a> {
        may carrier_identification_code: Octets<'a, 3, 4>,
        may carrier_name: Ia5<'a, 1, 128>,
    } additions 0 {}
}
