//! Certificates of simulated instances: an authority of our own and what it signs.
//!
//! Start at [`Authority::open`] and [`Authority::tls`]. All is kept in files, so that a restarted
//! instance shows the certificate it showed before, and clients that trust `ca.pem` verify it as
//! they would a real one. Keys are readable by their owner only. The only crypto provider is
//! aws-lc, always named and never the process's default.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

const AUTHORITY_FILE: &str = "ca.pem";
const AUTHORITY_KEY_FILE: &str = "ca.key";
const SERVER_FILE: &str = "server.pem";
const SERVER_KEY_FILE: &str = "server.key";
/// The names that the server's certificate was made for, one a line.
const NAMES_FILE: &str = "server.names";
/// Names every instance answers to.
const LOCAL_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// What TDS 8.0 clients announce in their TLS greeting.
const ALPN_TDS_8: &[u8] = b"tds/8.0";

/// Years of validity: wide enough that no test and no demonstration meets an end of it.
const VALID_FROM_YEAR: i32 = 2020;
const VALID_TO_YEAR: i32 = 2049;

/// An authority that signs the certificates of simulated instances. Several instances may share
/// one, so that their clients need to trust one file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

/// TLS as an instance offers it.
#[derive(Clone)]
pub struct TlsSetup {
    inside_tds: Arc<ServerConfig>,
    strict: Arc<ServerConfig>,
    authority_file: PathBuf,
}

impl Authority {
    /// The authority kept in a folder; made and written there if there is none.
    ///
    /// # Errors
    /// Those of reading and writing its files, and `InvalidData` where they are no certificates.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let key = key_in(&folder.join(AUTHORITY_KEY_FILE))?;
        let params = authority_params()?;
        let file = folder.join(AUTHORITY_FILE);
        if !file.exists() {
            let certificate = params.self_signed(&key).map_err(invalid)?;
            write_whole(&file, &certificate.pem(), false)?;
        }
        Ok(Self {
            issuer: Issuer::new(params, key),
            file,
        })
    }

    /// The PEM file that clients are to trust.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The certificate of the instance whose folder this is, valid for `localhost`, `127.0.0.1`
    /// and the names given. It is made anew when the names have changed.
    ///
    /// # Errors
    /// Those of reading and writing its files, and `InvalidData` where they are no certificates
    /// or a name is none.
    pub fn tls(&self, folder: &Path, names: &[String]) -> io::Result<TlsSetup> {
        fs::create_dir_all(folder)?;
        let key = key_in(&folder.join(SERVER_KEY_FILE))?;
        let file = folder.join(SERVER_FILE);
        let names_file = folder.join(NAMES_FILE);
        let names = all_names(names);
        let listed = names.join("\n");
        if !file.exists() || fs::read_to_string(&names_file).ok().as_ref() != Some(&listed) {
            let params = server_params(&names)?;
            let certificate = params.signed_by(&key, &self.issuer).map_err(invalid)?;
            write_whole(&file, &certificate.pem(), false)?;
            write_whole(&names_file, &listed, false)?;
        }
        let certificate = CertificateDer::from_pem_file(&file).map_err(invalid)?;
        TlsSetup::new(&certificate, &key.serialize_der(), self.file.clone())
    }
}

impl TlsSetup {
    /// TLS inside TDS 7.4. It stops at TLS 1.2, as SQL Server does there: with 1.3 the client
    /// would wait for bytes that do not fit into PRELOGIN packets.
    #[must_use]
    pub fn inside_tds(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.inside_tds)
    }

    /// TLS around TDS 8.0.
    #[must_use]
    pub fn strict(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.strict)
    }

    /// The PEM file that clients are to trust.
    #[must_use]
    pub fn authority_file(&self) -> &Path {
        &self.authority_file
    }

    fn new(
        certificate: &CertificateDer<'static>,
        key: &[u8],
        authority_file: PathBuf,
    ) -> io::Result<Self> {
        let config = |versions: &[&'static SupportedProtocolVersion]| {
            let key = PrivateKeyDer::try_from(key.to_vec()).map_err(invalid)?;
            let provider = Arc::new(aws_lc_rs::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .map_err(invalid)?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .map_err(invalid)?;
            // A resumed session would end its handshake the other way round.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Ok::<_, io::Error>(config)
        };
        let inside_tds = config(&[&TLS12])?;
        let mut strict = config(&[&TLS12, &TLS13])?;
        strict.alpn_protocols = vec![ALPN_TDS_8.to_vec()];
        Ok(Self {
            inside_tds: Arc::new(inside_tds),
            strict: Arc::new(strict),
            authority_file,
        })
    }
}

/// The key kept in a file; made and written if there is none.
fn key_in(file: &Path) -> io::Result<KeyPair> {
    match fs::read_to_string(file) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(invalid),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(invalid)?;
            write_whole(file, &key.serialize_pem(), true)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// The same each time but for the key, so that the authority can be opened again from its key.
fn authority_params() -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(invalid)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "sqlsim authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit_validity(&mut params);
    Ok(params)
}

fn server_params(names: &[String]) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(invalid)?;
    params.distinguished_name.push(DnType::CommonName, "sqlsim");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    limit_validity(&mut params);
    Ok(params)
}

fn limit_validity(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(VALID_FROM_YEAR, 1, 1);
    params.not_after = date_time_ymd(VALID_TO_YEAR, 12, 31);
}

fn all_names(names: &[String]) -> Vec<String> {
    let mut all: Vec<String> = LOCAL_NAMES
        .iter()
        .map(ToString::to_string)
        .chain(names.iter().cloned())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Writes a file so that it is either there whole or not at all: beside its place, then moved.
fn write_whole(file: &Path, text: &str, secret: bool) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut out = options.open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&draft, file)
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
