//! The other messages: NSM and XRS (H.225.0 §7.16, §7.17), RIP (§7.18), RAI and RAC (§7.19), SCI and
//! SCR (§7.20).

use super::SequenceNumber;
use crate::h323::per::{List, Number, Oid, choice, sequence};
use crate::h323::types::{
    CallCapacity, CallIdentifier, ClearToken, ConferenceIdentifier, CryptoH323Token,
    EndpointIdentifier, FeatureSet, GenericData, Icv, NonStandardParameter, ServiceControlSession,
    SupportedProtocols,
};

sequence! {
    /// NonStandardMessage.
    NonStandardMessage<'a> {
        needs request_seq_num: SequenceNumber,
        needs non_standard_data: NonStandardParameter<'a>,
    } additions 5 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 feature_set: FeatureSet<'a>,
        4 generic_data: List<'a, GenericData<'a>>,
    }
}

sequence! {
    /// UnknownMessageResponse.
    UnknownMessageResponse<'a> {
        needs request_seq_num: SequenceNumber,
    } additions 4 {
        0 tokens: List<'a, ClearToken<'a>>,
        1 crypto_tokens: List<'a, CryptoH323Token<'a>>,
        2 integrity_check_value: Icv<'a>,
        3 message_not_understood: &'a [u8],
    }
}

sequence! {
    /// RequestInProgress; `delay` in milliseconds.
    RequestInProgress<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
        needs delay: Number<1, 0xffff>,
    } additions 0 {}
}

sequence! {
    /// ResourcesAvailableIndicate.
    ResourcesAvailableIndicate<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        needs endpoint_identifier: EndpointIdentifier<'a>,
        needs protocols: List<'a, SupportedProtocols<'a>>,
        needs almost_out_of_resources: bool,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
    } additions 2 {
        0 capacity: CallCapacity<'a>,
        1 generic_data: List<'a, GenericData<'a>>,
    }
}

sequence! {
    /// ResourcesAvailableConfirm.
    ResourcesAvailableConfirm<'a> {
        needs request_seq_num: SequenceNumber,
        needs protocol_identifier: Oid<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
    } additions 1 {
        0 generic_data: List<'a, GenericData<'a>>,
    }
}

sequence! {
    /// ServiceControlIndication.
    ServiceControlIndication<'a> {
        needs request_seq_num: SequenceNumber,
        may non_standard_data: NonStandardParameter<'a>,
        needs service_control: List<'a, ServiceControlSession<'a>>,
        may endpoint_identifier: EndpointIdentifier<'a>,
        may call_specific: CallSpecific,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
        may feature_set: FeatureSet<'a>,
        may generic_data: List<'a, GenericData<'a>>,
    } additions 0 {}
}

sequence! {
    /// The call that a ServiceControlIndication is about (callSpecific).
    CallSpecific {
        needs call_identifier: CallIdentifier,
        needs conference_id: ConferenceIdentifier,
        needs answered_call: bool,
    } additions 0 {}
}

sequence! {
    /// ServiceControlResponse.
    ServiceControlResponse<'a> {
        needs request_seq_num: SequenceNumber,
        may result: ServiceControlResult<'a>,
        may non_standard_data: NonStandardParameter<'a>,
        may tokens: List<'a, ClearToken<'a>>,
        may crypto_tokens: List<'a, CryptoH323Token<'a>>,
        may integrity_check_value: Icv<'a>,
        may feature_set: FeatureSet<'a>,
        may generic_data: List<'a, GenericData<'a>>,
    } additions 0 {}
}

choice! {
    /// What became of a service control.
    ServiceControlResult<'a> {
        root 5 {
            0 Started,
            1 Failed,
            2 Stopped,
            3 NotAvailable,
            4 NeededFeatureNotSupported,
        }
        additions {}
    }
}
