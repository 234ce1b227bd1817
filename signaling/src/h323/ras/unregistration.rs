//! Leaving: URQ, UCF, URJ (H.225.0 §7.10).

use super::SequenceNumber;
use crate::h323::per::{List, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, AlternateGk, ClearToken, CryptoH323Token, EndpointIdentifier,
    GatekeeperIdentifier, GenericData, Icv, NonStandardParameter, SecurityErrors2, SupportedPrefix,
    TransportAddress,
};

sequence! {
    /// UnregistrationRequest.
    UnregistrationRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs call_signal_address: List<'a, TransportAddress<'a>>,
        may endpoint_alias: List<'a, AliasAddress<'a>>,
        may non_standard_data: NonStandardParameter<'a>,
        may endpoint_identifier: EndpointIdentifier<'a>,
    } additions 11 {
        1 gatekeeper_identifier: GatekeeperIdentifier<'a>,
        2 tokens: List<'a, ClearToken<'a>>,
        3 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        4 integrity_check_value: Icv<'a>,
        5 reason: UnregRequestReason<'a>,
        7 supported_prefixes: List<'a, SupportedPrefix<'a>>,
        8 alternate_gatekeeper: List<'a, AlternateGk<'a>>,
        9 generic_data: List<'a, GenericData<'a>>,
        10 assigned_gatekeeper: AlternateGk<'a>,
    }
}

choice! {
    /// UnregRequestReason.
    UnregRequestReason<'a> {
        root 4 {
            0 ReregistrationRequired,
            1 TtlExpired,
            2 SecurityDenial,
            3 UndefinedReason,
        }
        additions {
            0 Maintenance,
            1 SecurityError(SecurityErrors2<'a>),
            2 RegisterWithAssignedGk,
        }
    }
}

sequence! {
    /// UnregistrationConfirm.
    UnregistrationConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
    } additions 5 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 generic_data: List<'a, GenericData<'a>>,
        4 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// UnregistrationReject.
    UnregistrationReject<'a> {
        needs request_seq_num: SequenceNumber,
        needs reject_reason: UnregRejectReason<'a>,
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
    /// UnregRejectReason.
    UnregRejectReason<'a> {
        root 3 {
            0 NotCurrentlyRegistered,
            1 CallInProgress,
            2 UndefinedReason,
        }
        additions {
            0 PermissionDenied,
            1 SecurityDenial,
            2 SecurityError(SecurityErrors2<'a>),
        }
    }
}
