//! Finding a gatekeeper: GRQ, GCF, GRJ (H.225.0 §7.8).

use super::SequenceNumber;
use crate::h323::per::{List, Oid, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, AlternateGk, ClearToken, CryptoH323Token, EndpointType, FeatureSet,
    GatekeeperIdentifier, GenericData, Icv, NonStandardParameter, QseriesOptions, SecurityErrors,
    TransportAddress,
};

sequence! {
    /// GatekeeperRequest.
    GatekeeperRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        needs ras_address: TransportAddress<'a>,
        needs endpoint_type: EndpointType<'a>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        may call_services: QseriesOptions,
        may endpoint_alias: List<'a, AliasAddress<'a>>,
    } additions 12 {
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 algorithm_oids: List<'a, Oid<'a>>,
        6 integrity_check_value: Icv<'a>,
        7 supports_alt_gk: (),
        8 feature_set: FeatureSet<'a>,
        9 generic_data: List<'a, GenericData<'a>>,
        10 supports_assigned_gk: bool,
        11 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// GatekeeperConfirm.
    GatekeeperConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        needs ras_address: TransportAddress<'a>,
    } additions 11 {
        0 alternate_gatekeeper: List<'a, AlternateGk<'a>>,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 algorithm_oid: Oid<'a>,
        6 integrity_check_value: Icv<'a>,
        7 feature_set: FeatureSet<'a>,
        8 generic_data: List<'a, GenericData<'a>>,
        9 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// GatekeeperReject.
    GatekeeperReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        may gatekeeper_identifier: GatekeeperIdentifier<'a>,
        needs reject_reason: GatekeeperRejectReason<'a>,
    } additions 6 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 feature_set: FeatureSet<'a>,
        5 generic_data: List<'a, GenericData<'a>>,
    }
}

choice! {
    /// GatekeeperRejectReason.
    GatekeeperRejectReason<'a> {
        root 4 {
            0 ResourceUnavailable,
            1 TerminalExcluded,
            2 InvalidRevision,
            3 UndefinedReason,
        }
        additions {
            0 SecurityDenial,
            1 GenericDataReason,
            2 NeededFeatureNotSupported,
            3 SecurityError(SecurityErrors<'a>),
        }
    }
}
