//! Of one call: its names, its kind, what it sends and where.

use super::{NonStandardParameter, TransportAddress};
use crate::h323::per::{Ia5, List, Number, choice, sequence};

/// BandWidth, in units of 100 bit/s, both directions together.
pub type BandWidth = Number<0, 0xffff_ffff>;
/// CallReferenceValue.
pub type CallReferenceValue = Number<0, 0xffff>;
/// ConferenceIdentifier.
pub type ConferenceIdentifier = GloballyUniqueId;
/// GloballyUniqueID.
pub type GloballyUniqueId = [u8; 16];

sequence! {
    /// CallIdentifier.
    CallIdentifier {
        needs guid: GloballyUniqueId,
    } additions 0 {}
}

sequence! {
    /// CallLinkage.
    CallLinkage {
        may global_call_id: GloballyUniqueId,
        may thread_id: GloballyUniqueId,
    } additions 0 {}
}

choice! {
    /// CallType.
    CallType<'a> {
        root 4 {
            0 PointToPoint,
            1 OneToN,
            2 NToOne,
            3 NToN,
        }
        additions {}
    }
}

choice! {
    /// CallModel.
    CallModel<'a> {
        root 2 {
            0 Direct,
            1 GatekeeperRouted,
        }
        additions {}
    }
}

sequence! {
    /// QseriesOptions.
    QseriesOptions {
        needs q932_full: bool,
        needs q951_full: bool,
        needs q952_full: bool,
        needs q953_full: bool,
        needs q955_full: bool,
        needs q956_full: bool,
        needs q957_full: bool,
        needs q954_info: Q954Details,
    } additions 0 {}
}

sequence! {
    /// Q954Details.
    Q954Details {
        needs conference_calling: bool,
        needs three_party_service: bool,
    } additions 0 {}
}

sequence! {
    /// UUIEsRequested.
    UuiesRequested {
        needs setup: bool,
        needs call_proceeding: bool,
        needs connect: bool,
        needs alerting: bool,
        needs information: bool,
        needs release_complete: bool,
        needs facility: bool,
        needs progress: bool,
        needs empty: bool,
    } additions 4 {
        0 status: bool,
        1 status_inquiry: bool,
        2 setup_acknowledge: bool,
        3 notify: bool,
    }
}

sequence! {
    /// TransportChannelInfo.
    TransportChannelInfo<'a> {
        may send_address: TransportAddress<'a>,
        may recv_address: TransportAddress<'a>,
    } additions 0 {}
}

sequence! {
    /// RTPSession.
    RtpSession<'a> {
        needs rtp_address: TransportChannelInfo<'a>,
        needs rtcp_address: TransportChannelInfo<'a>,
        needs cname: Ia5<'a, 0, 0>,
        needs ssrc: Number<1, 0xffff_ffff>,
        needs session_id: Number<1, 255>,
        needs associated_session_ids: List<'a, Number<1, 255>>,
    } additions 2 {
        0 multicast: (),
        1 bandwidth: BandWidth,
    }
}

sequence! {
    /// What an InfoRequestResponse tells of one call (perCallInfo).
    PerCallInfo<'a> {
        may non_standard_data: NonStandardParameter<'a>,
        needs call_reference_value: CallReferenceValue,
        needs conference_id: ConferenceIdentifier,
        may originator: bool,
        may audio: List<'a, RtpSession<'a>>,
        may video: List<'a, RtpSession<'a>>,
        may data: List<'a, TransportChannelInfo<'a>>,
        needs h245: TransportChannelInfo<'a>,
        needs call_signalling: TransportChannelInfo<'a>,
        needs call_type: CallType<'a>,
        needs band_width: BandWidth,
        needs call_model: CallModel<'a>,
    } additions 8 {
        0 call_identifier: CallIdentifier,
        3 substitute_conf_ids: List<'a, ConferenceIdentifier>,
        5 call_linkage: CallLinkage,
    }
}
