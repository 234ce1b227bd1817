//! Registering: RRQ, RCF, RRJ (H.225.0 §7.9).

use super::SequenceNumber;
use crate::h323::per::{List, Number, Oid, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, AlternateGk, BandWidth, CallCapacity, ClearToken, CryptoH323Token,
    EndpointIdentifier, EndpointType, FeatureSet, GatekeeperIdentifier, GenericData, Icv,
    NonStandardParameter, SecurityErrors, ServiceControlSession, SupportedPrefix, TimeToLive,
    TransportAddress, VendorIdentifier,
};

sequence! {
    /// RegistrationRequest.
    RegistrationRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        needs discovery_complete: bool,
        needs call_signal_address: List<'a, TransportAddress<'a>>,
        needs ras_address: List<'a, TransportAddress<'a>>,
        needs terminal_type: EndpointType<'a>,
        may terminal_alias: List<'a, AliasAddress<'a>>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        needs endpoint_vendor: VendorIdentifier<'a>,
    } additions 27 {
        1 time_to_live: TimeToLive,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 keep_alive: bool,
        6 endpoint_identifier: EndpointIdentifier<'a>,
        7 will_supply_uuies: bool,
        8 maintain_connection: bool,
        10 additive_registration: (),
        12 supports_alt_gk: (),
        14 multiple_calls: bool,
        18 capacity: CallCapacity<'a>,
        19 feature_set: FeatureSet<'a>,
        20 generic_data: List<'a, GenericData<'a>>,
        21 restart: (),
        22 supports_acf_sequences: (),
        23 supports_assigned_gk: bool,
        24 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// RegistrationConfirm.
    RegistrationConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        needs call_signal_address: List<'a, TransportAddress<'a>>,
        may terminal_alias: List<'a, AliasAddress<'a>>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        needs endpoint_identifier: EndpointIdentifier<'a>,
    } additions 20 {
        0 alternate_gatekeeper: List<'a, AlternateGk<'a>>,
        1 time_to_live: TimeToLive,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 will_respond_to_irr: bool,
        6 pre_granted_arq: PreGrantedArq,
        7 maintain_connection: bool,
        8 service_control: List<'a, ServiceControlSession<'a>>,
        9 supports_additive_registration: (),
        11 supported_prefixes: List<'a, SupportedPrefix<'a>>,
        15 feature_set: FeatureSet<'a>,
        16 generic_data: List<'a, GenericData<'a>>,
        17 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// Admissions that an endpoint need not ask for (preGrantedARQ).
    PreGrantedArq {
        needs make_call: bool,
        needs use_gk_call_signal_address_to_make_call: bool,
        needs answer_call: bool,
        needs use_gk_call_signal_address_to_answer: bool,
    } additions 4 {
        0 irr_frequency_in_call: Number<1, 0xffff>,
        1 total_bandwidth_restriction: BandWidth,
    }
}

sequence! {
    /// RegistrationReject.
    RegistrationReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        needs reject_reason: RegistrationRejectReason<'a>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
    } additions 7 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 feature_set: FeatureSet<'a>,
        5 generic_data: List<'a, GenericData<'a>>,
        6 assigned_gatekeeper: AlternateGk<'a>,
    }
}

choice! {
    /// RegistrationRejectReason.
    RegistrationRejectReason<'a> {
        root 8 {
            0 DiscoveryRequired,
            1 InvalidRevision,
            2 InvalidCallSignalAddress,
            3 InvalidRasAddress,
            4 DuplicateAlias(List<'a, AliasAddress<'a>>),
            5 InvalidTerminalType,
            6 UndefinedReason,
            7 TransportNotSupported,
        }
        additions {
            0 TransportQosNotSupported,
            1 ResourceUnavailable,
            2 InvalidAlias,
            3 SecurityDenial,
            4 FullRegistrationRequired,
            5 AdditiveRegistrationNotSupported,
            7 GenericDataReason,
            8 NeededFeatureNotSupported,
            9 SecurityError(SecurityErrors<'a>),
            10 RegisterWithAssignedGk,
        }
    }
}
