//! Asking where somebody is: LRQ, LCF, LRJ (H.225.0 §7.13).

use super::SequenceNumber;
use crate::h323::per::{Ia5, List, Number, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, BandWidth, CallIdentifier, ClearToken, CryptoH323Token,
    EndpointIdentifier, EndpointType, FeatureSet, GatekeeperIdentifier, GenericData, Icv,
    NonStandardParameter, PartyNumber, SecurityErrors2, ServiceControlSession, SupportedProtocols,
    TransportAddress,
};

sequence! {
    /// LocationRequest.
    LocationRequest<'a> {
        needs request_seq_num: SequenceNumber,
        may endpoint_identifier: EndpointIdentifier<'a>,
        needs destination_info: List<'a, AliasAddress<'a>>,
        may non_standard_data: NonStandardParameter<'a>,
        needs reply_address: TransportAddress<'a>,
    } additions 17 {
        0 source_info: List<'a, AliasAddress<'a>>,
        1 can_map_alias: bool,
        2 gatekeeper_identifier: GatekeeperIdentifier<'a>,
        3 tokens: List<'a, ClearToken<'a>>,
        4 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        5 integrity_check_value: Icv<'a>,
        6 desired_protocols: List<'a, SupportedProtocols<'a>>,
        8 feature_set: FeatureSet<'a>,
        9 generic_data: List<'a, GenericData<'a>>,
        10 hop_count: Number<1, 255>,
        12 call_identifier: CallIdentifier,
        13 band_width: BandWidth,
        14 source_endpoint_info: List<'a, AliasAddress<'a>>,
        15 can_map_src_alias: bool,
        16 language: List<'a, Ia5<'a, 1, 32>>,
    }
}

sequence! {
    /// LocationConfirm.
    LocationConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs call_signal_address: TransportAddress<'a>,
        needs ras_address: TransportAddress<'a>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 17 {
        0 destination_info: List<'a, AliasAddress<'a>>,
        1 dest_extra_call_info: List<'a, AliasAddress<'a>>,
        2 destination_type: EndpointType<'a>,
        3 remote_extension_address: List<'a, AliasAddress<'a>>,
        5 tokens: List<'a, ClearToken<'a>>,
        6 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        7 integrity_check_value: Icv<'a>,
        9 supported_protocols: List<'a, SupportedProtocols<'a>>,
        10 multiple_calls: bool,
        11 feature_set: FeatureSet<'a>,
        12 generic_data: List<'a, GenericData<'a>>,
        14 service_control: List<'a, ServiceControlSession<'a>>,
        15 modified_src_info: List<'a, AliasAddress<'a>>,
        16 band_width: BandWidth,
    }
}

sequence! {
    /// LocationReject.
    LocationReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs reject_reason: LocationRejectReason<'a>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 7 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 feature_set: FeatureSet<'a>,
        5 generic_data: List<'a, GenericData<'a>>,
        6 service_control: List<'a, ServiceControlSession<'a>>,
    }
}

choice! {
    /// LocationRejectReason.
    LocationRejectReason<'a> {
        root 4 {
            0 NotRegistered,
            1 InvalidPermission,
            2 RequestDenied,
            3 UndefinedReason,
        }
        additions {
            0 SecurityDenial,
            1 AliasesInconsistent,
            2 RouteCallToScn(List<'a, PartyNumber<'a>>),
            3 ResourceUnavailable,
            4 GenericDataReason,
            5 NeededFeatureNotSupported,
            6 HopCountExceeded,
            7 IncompleteAddress,
            8 SecurityError(SecurityErrors2<'a>),
            9 SecurityDhMismatch,
            10 NoRouteToDestination,
            11 UnallocatedNumber,
        }
    }
}
