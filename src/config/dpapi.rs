//! Secrets sealed by Windows for this machine (DPAPI): a file that is carried away opens nowhere else.
//!
//! Start at [`seal`]. Who may read the file on this machine is the business of its rights; the seal is for copies,
//! backups and disks that leave it. It is the machine's and no account's, for an administrator seals what the service
//! opens.

#![expect(
    unsafe_code,
    reason = "Windows seals and opens by two calls of one form, which stand in one function"
)]

use std::io;
use std::ptr;
use std::slice;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData,
    CryptUnprotectData,
};

/// How a sealed secret begins; what follows is base64.
const MARK: &str = "stopmark-dpapi-1:";

/// What to do with bytes.
#[derive(Clone, Copy)]
enum Deed {
    Seal,
    Open,
}

/// The text of a file that only this machine can read as the secret.
///
/// # Errors
/// What Windows says.
pub fn seal(secret: &SecretString) -> io::Result<SecretString> {
    let sealed = done(Deed::Seal, secret.expose_secret().as_bytes())?;
    let text = format!("{MARK}{}\n", STANDARD.encode(sealed));
    Ok(SecretString::from(text))
}

/// The secret of a file's text; one that was not sealed is the secret itself.
///
/// # Errors
/// What Windows says of one that another machine sealed, or that somebody changed.
pub(super) fn opened(text: SecretString) -> io::Result<SecretString> {
    let Some(sealed) = text.expose_secret().trim_end().strip_prefix(MARK) else {
        return Ok(text);
    };
    let sealed = STANDARD.decode(sealed);
    // An error of the decoder tells which byte was wrong.
    let sealed = sealed.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let plain = String::from_utf8(done(Deed::Open, &sealed)?);
    let plain = plain.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(SecretString::from(plain))
}

fn done(deed: Deed, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let given = CRYPT_INTEGER_BLOB {
        cbData: length,
        // Windows reads what is given.
        pbData: bytes.as_ptr().cast_mut(),
    };
    let mut made = CRYPT_INTEGER_BLOB {
        cbData: 0,
        pbData: ptr::null_mut(),
    };
    // SAFETY: `given` is valid for its length throughout and only read. `made` is filled where the call succeeds, with
    // memory that is ours until it is freed, once; its content is copied before, and wiped.
    unsafe {
        let (no_words, no_entropy, no_prompt) = (ptr::null(), ptr::null(), ptr::null());
        let is_done = match deed {
            Deed::Seal => {
                let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
                CryptProtectData(
                    &raw const given,
                    no_words,
                    no_entropy,
                    ptr::null(),
                    no_prompt,
                    flags,
                    &raw mut made,
                )
            }
            Deed::Open => CryptUnprotectData(
                &raw const given,
                ptr::null_mut(),
                no_entropy,
                ptr::null(),
                no_prompt,
                CRYPTPROTECT_UI_FORBIDDEN,
                &raw mut made,
            ),
        };
        if is_done == 0 {
            return Err(io::Error::last_os_error());
        }
        if made.pbData.is_null() {
            return Ok(Vec::new());
        }
        let length = made.cbData as usize;
        let bytes = slice::from_raw_parts(made.pbData, length).to_vec();
        made.pbData.write_bytes(0, length);
        LocalFree(made.pbData.cast());
        Ok(bytes)
    }
}
