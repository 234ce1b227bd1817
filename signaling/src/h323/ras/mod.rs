//! The messages of RAS (H.225.0 §7.7 to §7.20): one datagram, one message.
//!
//! [`Message::decode`] borrows from the datagram; [`Message::encode`] writes into a buffer of the
//! caller's. Neither allocates or panics, whatever the bytes.
//!
//! What is not modelled is passed over: extension additions of a later version, and those that
//! nobody here asks for. A message of an alternative that is not known is [`Message::Other`]: it is
//! what unknownMessageResponse answers. BOOLEANs that were added later are mandatory in the
//! specification and missing in messages of older senders; they are `Option<bool>` here, and none
//! reads as FALSE (`unwrap_or_default`).

mod admission;
mod bandwidth;
mod discovery;
mod information;
mod location;
mod registration;
mod resources;
mod unregistration;

pub use admission::{AdmissionConfirm, AdmissionReject, AdmissionRejectReason, AdmissionRequest};
pub use bandwidth::{
    BandRejectReason, BandwidthConfirm, BandwidthReject, BandwidthRequest, DisengageConfirm,
    DisengageReason, DisengageReject, DisengageRejectReason, DisengageRequest,
};
pub use discovery::{
    GatekeeperConfirm, GatekeeperReject, GatekeeperRejectReason, GatekeeperRequest,
};
pub use information::{
    InfoRequest, InfoRequestAck, InfoRequestNak, InfoRequestNakReason, InfoRequestResponse,
    InfoRequestResponseStatus,
};
pub use location::{LocationConfirm, LocationReject, LocationRejectReason, LocationRequest};
pub use registration::{
    PreGrantedArq, RegistrationConfirm, RegistrationReject, RegistrationRejectReason,
    RegistrationRequest,
};
pub use resources::{
    CallSpecific, NonStandardMessage, RequestInProgress, ResourcesAvailableConfirm,
    ResourcesAvailableIndicate, ServiceControlIndication, ServiceControlResponse,
    ServiceControlResult, UnknownMessageResponse,
};
pub use unregistration::{
    UnregRejectReason, UnregRequestReason, UnregistrationConfirm, UnregistrationReject,
    UnregistrationRequest,
};

use super::per::{Fault, Number, Oid, Reader, Unwritable, Value, Writer, choice};

/// RequestSeqNum.
pub type SequenceNumber = Number<1, 0xffff>;

/// ProtocolIdentifier of version 7: {itu-t (0) recommendation (0) h (8) 2250 version (0) 7}.
pub const VERSION_7: Oid<'static> = Oid::of(&[0x00, 0x08, 0x91, 0x4a, 0x00, 0x07]);

choice! {
    /// RasMessage.
    Message<'a> {
        root 25 {
            0 GatekeeperRequest(GatekeeperRequest<'a>),
            1 GatekeeperConfirm(GatekeeperConfirm<'a>),
            2 GatekeeperReject(GatekeeperReject<'a>),
            3 RegistrationRequest(RegistrationRequest<'a>),
            4 RegistrationConfirm(RegistrationConfirm<'a>),
            5 RegistrationReject(RegistrationReject<'a>),
            6 UnregistrationRequest(UnregistrationRequest<'a>),
            7 UnregistrationConfirm(UnregistrationConfirm<'a>),
            8 UnregistrationReject(UnregistrationReject<'a>),
            9 AdmissionRequest(AdmissionRequest<'a>),
            10 AdmissionConfirm(AdmissionConfirm<'a>),
            11 AdmissionReject(AdmissionReject<'a>),
            12 BandwidthRequest(BandwidthRequest<'a>),
            13 BandwidthConfirm(BandwidthConfirm<'a>),
            14 BandwidthReject(BandwidthReject<'a>),
            15 DisengageRequest(DisengageRequest<'a>),
            16 DisengageConfirm(DisengageConfirm<'a>),
            17 DisengageReject(DisengageReject<'a>),
            18 LocationRequest(LocationRequest<'a>),
            19 LocationConfirm(LocationConfirm<'a>),
            20 LocationReject(LocationReject<'a>),
            21 InfoRequest(InfoRequest<'a>),
            22 InfoRequestResponse(InfoRequestResponse<'a>),
            23 NonStandardMessage(NonStandardMessage<'a>),
            24 UnknownMessageResponse(UnknownMessageResponse<'a>),
        }
        additions {
            0 RequestInProgress(RequestInProgress<'a>),
            1 ResourcesAvailableIndicate(ResourcesAvailableIndicate<'a>),
            2 ResourcesAvailableConfirm(ResourcesAvailableConfirm<'a>),
            3 InfoRequestAck(InfoRequestAck<'a>),
            4 InfoRequestNak(InfoRequestNak<'a>),
            5 ServiceControlIndication(ServiceControlIndication<'a>),
            6 ServiceControlResponse(ServiceControlResponse<'a>),
        }
    }
}

impl<'a> Message<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// Why it is no message.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(datagram)?;
        let message = Self::read(&mut reader)?;
        reader.end()?;
        Ok(message)
    }

    /// Writes it, and says how many octets it has.
    ///
    /// # Errors
    /// Why it cannot be written; what the buffer holds then is of no use.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Unwritable> {
        let mut writer = Writer::new(buffer);
        self.write(&mut writer);
        writer.finish()
    }
}
