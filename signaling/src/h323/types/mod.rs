//! What messages are made of: addresses, endpoints, capacities, tokens, generic data.
//!
//! Types that only ever lie in extension additions and that nobody here asks for are not modelled:
//! their additions are skipped by their length. Types in the root of a message are, since a root
//! can only be passed by reading it.

mod address;
mod call;
mod capacity;
mod endpoint;
mod gatekeeper;
mod generic;
mod protocol;
mod security;
mod service;

pub use address::{
    AliasAddress, Ip6Fields, Ipv4, Ipv6, IpxAddress, PartyNumber, PrivatePartyNumber,
    PrivateTypeOfNumber, PublicPartyNumber, PublicTypeOfNumber, Routing, SourceRoute,
    TransportAddress,
};
pub use call::{
    BandWidth, CallIdentifier, CallLinkage, CallModel, CallReferenceValue, CallType,
    ConferenceIdentifier, GloballyUniqueId, PerCallInfo, Q954Details, QseriesOptions, RtpSession,
    TransportChannelInfo, UuiesRequested,
};
pub use capacity::{CallCapacity, CallCapacityInfo, CallsAvailable, CarrierInfo};
pub use endpoint::{
    BareInfo, EndpointIdentifier, EndpointType, GatewayInfo, McuInfo, TimeToLive, VendorIdentifier,
};
pub use gatekeeper::{AltGkInfo, AlternateGk, GatekeeperIdentifier};
pub use generic::{
    Content, EnumeratedParameter, FeatureSet, GenericData, GenericIdentifier, H221NonStandard,
    Inner, NonStandardIdentifier, NonStandardParameter, StandardIdentifier,
};
pub use protocol::{
    DataRate, NonStandardProtocol, ProtocolCaps, SipCaps, SupportedPrefix, SupportedProtocols,
};
pub use security::{
    ClearToken, CryptoEpPwdHash, CryptoGkPwdHash, CryptoH323Token, CryptoToken, DhSet, Encrypted,
    EncryptedToken, Hashed, HashedToken, Icv, Identifier, NonStandardToken, Opened, Params,
    SecurityErrors, SecurityErrors2, Signed, SignedToken, TimeStamp, TypedCertificate,
};
pub use service::{
    BillingMode, CallCreditServiceControl, CallStartingPoint, ServiceControlDescriptor,
    ServiceControlReason, ServiceControlSession,
};
