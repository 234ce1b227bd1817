//! Authorities, certificates, and the other side of a TLS connection, for the tests of the shell.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use crate::shell_world::{Message, PATIENCE, Wire, cut_message};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use socket2::{Domain, Socket, Type};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Whose certificates are believed; its files stand in a folder of its own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = format!("{}/tls-{name}", env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(format!("{folder}/ca.pem"), certificate.pem()).unwrap();
        let certificate = certificate.der().clone();
        let issuer = Issuer::new(params, key);
        Self {
            issuer,
            certificate,
            folder,
        }
    }

    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    /// The file with its own certificate.
    pub(crate) fn file(&self) -> String {
        self.path("ca.pem")
    }

    /// Writes a certificate for these names (`sip:…` is a URI) and its key, and returns the files.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.certificate(names, false);
        let files = (
            self.path(&format!("{file}.pem")),
            self.path(&format!("{file}.key")),
        );
        std::fs::write(&files.0, certificate.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    fn certificate(&self, names: &[&str], is_expired: bool) -> (rcgen::Certificate, KeyPair) {
        let name = |name: &&str| match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if name.contains(':') => SanType::URI((*name).try_into().unwrap()),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        };
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(name).collect();
        if is_expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn own(
        &self,
        names: &[&str],
        is_expired: bool,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.certificate(names, is_expired);
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        (vec![certificate.der().clone()], key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        Arc::new(roots)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A client that believes one authority and shows a certificate of another, if any.
pub(crate) fn client(believed: &Authority, own: Option<&Authority>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(believed.roots());
    Arc::new(match own {
        Some(own) => {
            let (chain, key) = own.own(&["caller.example.com"], false);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// A client of one version.
pub(crate) fn versioned_client(
    believed: &Authority,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap();
    let config = builder.with_root_certificates(believed.roots());
    Arc::new(config.with_no_client_auth())
}

/// A peer with these names.
pub(crate) fn server(authority: &Authority, names: &[&str]) -> Arc<ServerConfig> {
    server_with(authority, names, false, None)
}

/// A peer whose certificate is not valid any more.
pub(crate) fn expired_server(authority: &Authority, names: &[&str]) -> Arc<ServerConfig> {
    server_with(authority, names, true, None)
}

/// A peer that asks for a certificate of an authority that it believes.
pub(crate) fn asking_server(
    authority: &Authority,
    names: &[&str],
    believed: &Authority,
) -> Arc<ServerConfig> {
    server_with(authority, names, false, Some(believed))
}

/// The same in TLS 1.2.
pub(crate) fn old_asking_server(
    authority: &Authority,
    names: &[&str],
    believed: &Authority,
) -> Arc<ServerConfig> {
    let own = authority.own(names, false);
    server_of(&[&TLS12], own, Some(believed))
}

fn server_with(
    authority: &Authority,
    names: &[&str],
    is_expired: bool,
    believed: Option<&Authority>,
) -> Arc<ServerConfig> {
    let own = authority.own(names, is_expired);
    server_of(&[&TLS13, &TLS12], own, believed)
}

fn server_of(
    versions: &[&'static SupportedProtocolVersion],
    (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    believed: Option<&Authority>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = if let Some(believed) = believed {
        let verifier = WebPkiClientVerifier::builder_with_provider(believed.roots(), provider());
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// A port that nobody listens at, and its address.
pub(crate) fn taken_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&loopback.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// One TLS connection.
pub(crate) struct Tls {
    connection: Connection,
    stream: TcpStream,
    listening: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl Tls {
    /// Connects; the handshake is made with the first octets.
    pub(crate) fn to(remote: SocketAddr, config: Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(config, name).unwrap();
        let stream = TcpStream::connect(remote).unwrap();
        Self::new(Connection::Client(connection), stream, None)
    }

    /// Connects from a port that was taken before, and completes the handshake.
    pub(crate) fn from(
        socket: Socket,
        remote: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(config, name).unwrap();
        socket.connect(&remote.into()).unwrap();
        let mut tls = Self::new(Connection::Client(connection), socket.into(), None);
        while tls.connection.is_handshaking() {
            tls.connection.complete_io(&mut tls.stream).unwrap();
        }
        tls
    }

    /// Accepts, and completes the handshake.
    pub(crate) fn accept(listener: &TcpListener, config: Arc<ServerConfig>) -> Self {
        Self::try_accept(listener, config).expect("a handshake")
    }

    pub(crate) fn try_accept(
        listener: &TcpListener,
        config: Arc<ServerConfig>,
    ) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let connection = Connection::Server(connection);
        let listening = listener.local_addr()?;
        let mut tls = Self::new(connection, stream, Some(listening));
        while tls.connection.is_handshaking() {
            tls.connection.complete_io(&mut tls.stream)?;
        }
        Ok(tls)
    }

    fn new(connection: Connection, stream: TcpStream, listening: Option<SocketAddr>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            connection,
            stream,
            listening,
            buffer: Vec::new(),
        }
    }

    /// Sends a request and takes the answer, if the connection allows it.
    pub(crate) fn ask(&mut self, text: &str) -> io::Result<Message> {
        self.try_send(text)?;
        self.try_receive()
    }

    /// How many certificates the other side has shown.
    pub(crate) fn certificates(&self) -> usize {
        self.connection.peer_certificates().map_or(0, <[_]>::len)
    }

    /// The certificate of the other side.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let certificates = self.connection.peer_certificates().unwrap();
        certificates.first().unwrap().to_vec()
    }

    /// The name that the other side wants to talk to.
    pub(crate) fn asked_for(&self) -> Option<String> {
        match &self.connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => panic!("a server is asked"),
        }
    }

    /// Closes so that the other side gets a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }

    fn try_send(&mut self, text: &str) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.connection.complete_io(&mut self.stream)?;
        }
        for chunk in text.as_bytes().chunks(16_384) {
            self.connection.writer().write_all(chunk)?;
            while self.connection.wants_write() {
                self.connection.write_tls(&mut self.stream)?;
            }
        }
        Ok(())
    }

    fn try_receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = cut_message(&mut self.buffer) {
                return Ok(message);
            }
            let mut chunk = [0; 16_384];
            match self.connection.reader().read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend_from_slice(chunk.get(..count).unwrap()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.connection.complete_io(&mut self.stream)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Wire for Tls {
    fn send(&mut self, text: &str) {
        self.try_send(text).expect("an open connection");
    }

    fn receive(&mut self) -> Message {
        self.try_receive().expect("a message")
    }

    fn local(&self) -> SocketAddr {
        self.listening
            .unwrap_or_else(|| self.stream.local_addr().unwrap())
    }

    fn transport(&self) -> &'static str {
        "tls"
    }
}

/// Another program, spoken to line by line. It is ended when the test is over.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Starts a program; `None`, and a word about it, where it is not installed and need not be.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Option<Program> {
    let mut command = Command::new(name);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            assert!(
                std::env::var_os("BATON_REQUIRE_PROGRAMS").is_none(),
                "{name}: {error}"
            );
            println!("skipped: {name}: {error}");
            return None;
        }
    };
    let input = child.stdin.take()?;
    let output = BufReader::new(child.stdout.take()?);
    Some(Program {
        child,
        input,
        output,
    })
}

impl Program {
    pub(crate) fn say(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("it listens");
        self.input.flush().expect("it listens");
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has usually ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
