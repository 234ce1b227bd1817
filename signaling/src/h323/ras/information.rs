//! Asking for what is going on: IRQ, IRR, IACK, INAK (H.225.0 §7.15).

use super::SequenceNumber;
use crate::h323::per::{List, Number, choice, sequence};
use crate::h323::types::{
    AliasAddress, AltGkInfo, AlternateGk, CallCapacity, CallIdentifier, CallLinkage,
    CallReferenceValue, ClearToken, CryptoH323Token, EndpointIdentifier, EndpointType, GenericData,
    Icv, NonStandardParameter, PerCallInfo, SecurityErrors2, TransportAddress, UuiesRequested,
};

sequence! {
    /// InfoRequest.
    InfoRequest<'a> {
        needs request_seq_num: SequenceNumber,
        needs call_reference_value: CallReferenceValue,
        may non_standard_data: NonStandardParameter<'a>,
        may reply_address: TransportAddress<'a>,
    } additions 12 {
        0 call_identifier: CallIdentifier,
        1 tokens: List<'a, ClearToken<'a>>,
        2 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        3 integrity_check_value: Icv<'a>,
        4 uuies_requested: UuiesRequested,
        5 call_linkage: CallLinkage,
        7 segmented_response_supported: (),
        8 next_segment_requested: Number<0, 0xffff>,
        9 capacity_info_requested: (),
        10 generic_data: List<'a, GenericData<'a>>,
        11 assigned_gatekeeper: AlternateGk<'a>,
    }
}

sequence! {
    /// InfoRequestResponse.
    InfoRequestResponse<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        needs request_seq_num: SequenceNumber,
        needs endpoint_type: EndpointType<'a>,
        needs endpoint_identifier: EndpointIdentifier<'a>,
        needs ras_address: TransportAddress<'a>,
        needs call_signal_address: List<'a, TransportAddress<'a>>,
        may endpoint_alias: List<'a, AliasAddress<'a>>,
        may per_call_info: List<'a, PerCallInfo<'a>>,
    } additions 8 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 need_response: bool,
        4 capacity: CallCapacity<'a>,
        5 irr_status: InfoRequestResponseStatus<'a>,
        6 unsolicited: bool,
        7 generic_data: List<'a, GenericData<'a>>,
    }
}

choice! {
    /// InfoRequestResponseStatus.
    InfoRequestResponseStatus<'a> {
        root 4 {
            0 Complete,
            1 Incomplete,
            2 Segment(Number<0, 0xffff>),
            3 InvalidCall,
        }
        additions {}
    }
}

sequence! {
    /// InfoRequestAck.
    InfoRequestAck<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
    } additions 0 {}
}

sequence! {
    /// InfoRequestNak.
    InfoRequestNak<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
        needs nak_reason: InfoRequestNakReason<'a>,
        may alt_gk_info: AltGkInfo<'a>,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
    } additions 0 {}
}

choice! {
    /// InfoRequestNakReason.
    InfoRequestNakReason<'a> {
        root 3 {
            0 NotRegistered,
            1 SecurityDenial,
            2 UndefinedReason,
        }
        additions {
            0 SecurityError(SecurityErrors2<'a>),
        }
    }
}
