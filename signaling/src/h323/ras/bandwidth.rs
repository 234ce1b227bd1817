//! Changing and ending a call's use: BRQ, BCF, BRJ (H.225.0 §7.12) and DRQ, DCF, DRJ (§7.14).

use super::SequenceNumber;
use crate::h323::per::{List, choice, sequence};
use crate::h323::types::{
    AltGkInfo, AlternateGk, BandWidth, CallCapacity, CallIdentifier, CallLinkage,
    CallReferenceValue, CallType, ClearToken, ConferenceIdentifier, CryptoH323Token,
    EndpointIdentifier, GatekeeperIdentifier, GenericData, Icv, NonStandardParameter,
    SecurityErrors2,
};

sequence! {
    /// BandwidthRequest.
    BandwidthRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs endpoint_identifier: EndpointIdentifier<'a>,
        needs conference_id: ConferenceIdentifier,
        needs call_reference_value: CallReferenceValue,
        may call_type: CallType<'a>,
        needs band_width: BandWidth,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 12 {
        0 call_identifier: CallIdentifier,
        1 gatekeeper_identifier: GatekeeperIdentifier<'a>,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 answered_call: bool,
        6 call_linkage: CallLinkage,
        7 capacity: CallCapacity<'a>,
        10 generic_data: List<'a, GenericData<'a>>,
    }
}

sequence! {
    /// BandwidthConfirm.
    BandwidthConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs band_width: BandWidth,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 6 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 capacity: CallCapacity<'a>,
        4 generic_data: List<'a, GenericData<'a>>,
    }
}

sequence! {
    /// BandwidthReject.
    BandwidthReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs reject_reason: BandRejectReason<'a>,
        needs allowed_band_width: BandWidth,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 5 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 generic_data: List<'a, GenericData<'a>>,
    }
}

choice! {
    /// BandRejectReason.
    BandRejectReason<'a> {
        root 6 {
            0 NotBound,
            1 InvalidConferenceId,
            2 InvalidPermission,
            3 InsufficientResources,
            4 InvalidRevision,
            5 UndefinedReason,
        }
        additions {
            0 SecurityDenial,
            1 SecurityError(SecurityErrors2<'a>),
        }
    }
}

sequence! {
    /// DisengageRequest.
    DisengageRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs endpoint_identifier: EndpointIdentifier<'a>,
        needs conference_id: ConferenceIdentifier,
        needs call_reference_value: CallReferenceValue,
        needs disengage_reason: DisengageReason<'a>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 13 {
        0 call_identifier: CallIdentifier,
        1 gatekeeper_identifier: GatekeeperIdentifier<'a>,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 answered_call: bool,
        6 call_linkage: CallLinkage,
        7 capacity: CallCapacity<'a>,
        12 generic_data: List<'a, GenericData<'a>>,
    }
}

choice! {
    /// DisengageReason.
    DisengageReason<'a> {
        root 3 {
            0 ForcedDrop,
            1 NormalDrop,
            2 UndefinedReason,
        }
        additions {}
    }
}

sequence! {
    /// DisengageConfirm.
    DisengageConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 8 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 capacity: CallCapacity<'a>,
        6 generic_data: List<'a, GenericData<'a>>,
        7 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// DisengageReject.
    DisengageReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs reject_reason: DisengageRejectReason<'a>,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 5 {
        0 alt_gk_info: AltGkInfo<'a>,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 generic_data: List<'a, GenericData<'a>>,
    }
}

choice! {
    /// DisengageRejectReason.
    DisengageRejectReason<'a> {
        root 2 {
            0 NotRegistered,
            1 RequestToDropOther,
        }
        additions {
            0 SecurityDenial,
            1 SecurityError(SecurityErrors2<'a>),
        }
    }
}
