//! Asking for a call: ARQ, ACF, ARJ (H.225.0 §7.11).

use super::SequenceNumber;
use crate::h323::per::{List, Number, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, AlternateGk, BandWidth, CallCapacity, CallIdentifier, CallLinkage,
    CallModel, CallReferenceValue, CallType, ClearToken, ConferenceIdentifier, CryptoH323Token,
    EndpointIdentifier, EndpointType, FeatureSet, GatekeeperIdentifier, GenericData, Icv,
    NonStandardParameter, PartyNumber, QseriesOptions, SecurityErrors2, ServiceControlSession,
    TransportAddress, UuiesRequested,
};

sequence! {
    /// AdmissionRequest.
    AdmissionRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs call_type: CallType<'a>,
        may call_model: CallModel<'a>,
        needs endpoint_identifier: EndpointIdentifier<'a>,
        may destination_info: List<'a, AliasAddress<'a>>,
        may dest_call_signal_address: TransportAddress<'a>,
        may dest_extra_call_info: List<'a, AliasAddress<'a>>,
        needs src_info: List<'a, AliasAddress<'a>>,
        may src_call_signal_address: TransportAddress<'a>,
        needs band_width: BandWidth,
        needs call_reference_value: CallReferenceValue,
        may non_standard_data: NonStandardParameter<'a>,
        may call_services: QseriesOptions,
        needs conference_id: ConferenceIdentifier,
        needs active_mc: bool,
        needs answer_call: bool,
    } additions 19 {
        0 can_map_alias: bool,
        1 call_identifier: CallIdentifier,
        4 gatekeeper_identifier: GatekeeperIdentifier<'a>,
        5 tokens: List<'a, ClearToken<'a>>,
        6 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        7 integrity_check_value: Icv<'a>,
        9 will_supply_uuies: bool,
        10 call_linkage: CallLinkage,
        12 capacity: CallCapacity<'a>,
        16 feature_set: FeatureSet<'a>,
        17 generic_data: List<'a, GenericData<'a>>,
        18 can_map_src_alias: bool,
    }
}

sequence! {
    /// AdmissionConfirm.
    AdmissionConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs band_width: BandWidth,
        needs call_model: CallModel<'a>,
        needs dest_call_signal_address: TransportAddress<'a>,
        may irr_frequency: Number<1, 0xffff>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 23 {
        0 destination_info: List<'a, AliasAddress<'a>>,
        1 dest_extra_call_info: List<'a, AliasAddress<'a>>,
        2 destination_type: EndpointType<'a>,
        3 remote_extension_address: List<'a, AliasAddress<'a>>,
        5 tokens: List<'a, ClearToken<'a>>,
        6 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        7 integrity_check_value: Icv<'a>,
        9 will_respond_to_irr: bool,
        10 uuies_requested: UuiesRequested,
        17 service_control: List<'a, ServiceControlSession<'a>>,
        18 multiple_calls: bool,
        19 feature_set: FeatureSet<'a>,
        20 generic_data: List<'a, GenericData<'a>>,
        21 modified_src_info: List<'a, AliasAddress<'a>>,
        22 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// AdmissionReject.
    AdmissionReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs reject_reason: AdmissionRejectReason<'a>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 9 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 call_signal_address: List<'a, TransportAddress<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 service_control: List<'a, ServiceControlSession<'a>>,
        6 feature_set: FeatureSet<'a>,
        7 generic_data: List<'a, GenericData<'a>>,
        8 assigned_gatekeeper: AlternateGk<'a>,
    }
}

choice! {
    /// AdmissionRejectReason.
    AdmissionRejectReason<'a> {
        root 8 {
            0 CalledPartyNotRegistered,
            1 InvalidPermission,
            2 RequestDenied,
            3 UndefinedReason,
            4 CallerNotRegistered,
            5 RouteCallToGatekeeper,
            6 InvalidEndpointIdentifier,
            7 ResourceUnavailable,
        }
        additions {
            0 SecurityDenial,
            1 QosControlNotSupported,
            2 IncompleteAddress,
            3 AliasesInconsistent,
            4 RouteCallToScn(List<'a, PartyNumber<'a>>),
            5 ExceedsCallCapacity,
            6 CollectDestination,
            7 CollectPin,
            8 GenericDataReason,
            9 NeededFeatureNotSupported,
            10 SecurityError(SecurityErrors2<'a>),
            11 SecurityDhMismatch,
            12 NoRouteToDestination,
            13 UnallocatedNumber,
            14 RegisterWithAssignedGk,
        }
    }
}
