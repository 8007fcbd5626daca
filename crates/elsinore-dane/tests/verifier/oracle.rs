//! OpenSSL's own DANE verification, for comparison: `SSL_dane_*` and `X509_verify_cert`, called
//! as OpenSSL calls them at the end of a handshake. The bindings lack these functions; the
//! library that is linked anyway has them.

#![allow(
    unsafe_code,
    reason = "the oracle calls C functions that the openssl crate does not wrap"
)]

use elsinore_dane::name::DomainName;
use elsinore_dane::tlsa::TlsaRecord;
use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef};
use openssl::stack::Stack;
use openssl::x509::X509;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_long, c_uchar, c_ulong, c_void};
use std::ptr;

const DANE_FLAG_NO_DANE_EE_NAMECHECKS: c_ulong = 1;
const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS: u32 = 4;

unsafe extern "C" {
    fn SSL_CTX_dane_enable(ctx: *mut openssl_sys::SSL_CTX) -> c_int;
    fn SSL_dane_enable(ssl: *mut openssl_sys::SSL, base_domain: *const c_char) -> c_int;
    fn SSL_dane_set_flags(ssl: *mut openssl_sys::SSL, flags: c_ulong) -> c_ulong;
    fn SSL_dane_tlsa_add(
        ssl: *mut openssl_sys::SSL,
        usage: u8,
        selector: u8,
        matching_type: u8,
        association: *const c_uchar,
        length: usize,
    ) -> c_int;
    fn SSL_add1_host(ssl: *mut openssl_sys::SSL, name: *const c_char) -> c_int;
    fn SSL_get0_dane(ssl: *mut openssl_sys::SSL) -> *mut c_void;
    fn SSL_get0_dane_authority(
        ssl: *mut openssl_sys::SSL,
        certificate: *mut *mut openssl_sys::X509,
        key: *mut *mut openssl_sys::EVP_PKEY,
    ) -> c_int;
    fn SSL_get0_dane_tlsa(
        ssl: *mut openssl_sys::SSL,
        usage: *mut u8,
        selector: *mut u8,
        matching_type: *mut u8,
        association: *mut *const c_uchar,
        length: *mut usize,
    ) -> c_int;
    fn SSL_set_verify_result(ssl: *mut openssl_sys::SSL, result: c_long);
    fn X509_STORE_CTX_set0_dane(ctx: *mut openssl_sys::X509_STORE_CTX, dane: *mut c_void);
    fn X509_STORE_CTX_get0_param(
        ctx: *mut openssl_sys::X509_STORE_CTX,
    ) -> *mut openssl_sys::X509_VERIFY_PARAM;
    fn X509_STORE_CTX_set_default(
        ctx: *mut openssl_sys::X509_STORE_CTX,
        name: *const c_char,
    ) -> c_int;
    fn X509_VERIFY_PARAM_set1(
        to: *mut openssl_sys::X509_VERIFY_PARAM,
        from: *const openssl_sys::X509_VERIFY_PARAM,
    ) -> c_int;
}

/// What OpenSSL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Authenticated by a record of this usage at this depth.
    Match { usage: u8, depth: usize },
    /// An `X509_V_ERR_` number.
    Reject(c_int),
    /// `SSL_dane_tlsa_add` took no record.
    NoUsable,
    /// A certificate of the message does not parse: the handshake fails whatever is configured.
    Unparsable,
}

/// Everything that does not depend on the chain.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'a> {
    pub(crate) records: &'a [TlsaRecord],
    /// The first is the TLSA base domain.
    pub(crate) names: &'a [DomainName],
    pub(crate) ee_name_checks: bool,
    /// OpenSSL's security level: 1 refuses SHA-1 in chains, 0 accepts everything.
    pub(crate) security_level: c_int,
    pub(crate) depth: c_int,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// A context for any number of verifications.
pub(crate) fn context() -> SslContext {
    let context = SslContext::builder(SslMethod::tls_client())
        .unwrap()
        .build();
    // SAFETY: the context is alive and not shared yet.
    let enabled = unsafe { SSL_CTX_dane_enable(context.as_ptr()) };
    assert_eq!(enabled, 1);
    context
}

/// A connection with its records and names. The number of usable records comes with it.
pub(crate) fn connection(context: &SslContext, settings: &Settings<'_>) -> (Ssl, usize) {
    let mut ssl = Ssl::new(context).unwrap();
    ssl.set_connect_state();
    let usable = configure(&ssl, settings);
    (ssl, usable)
}

/// Gives a fresh connection its records and names.
pub(crate) fn configure(ssl: &Ssl, settings: &Settings<'_>) -> usize {
    let text = |name: &DomainName| CString::new(name.as_str()).unwrap();
    let raw = ssl.as_ptr();
    let base = text(&settings.names[0]);
    let mut usable = 0;
    // SAFETY: the connection is alive; every pointer outlives the call it is passed to, and
    // OpenSSL copies what it keeps.
    unsafe {
        assert_eq!(SSL_dane_enable(raw, base.as_ptr()), 1);
        for name in &settings.names[1..] {
            assert_eq!(SSL_add1_host(raw, text(name).as_ptr()), 1);
        }
        if !settings.ee_name_checks {
            SSL_dane_set_flags(raw, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
        }
        let parameters = openssl_sys::SSL_get0_param(raw);
        openssl_sys::X509_VERIFY_PARAM_set_hostflags(
            parameters,
            X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
        );
        openssl_sys::X509_VERIFY_PARAM_set_time(parameters, settings.now);
        openssl_sys::X509_VERIFY_PARAM_set_depth(parameters, settings.depth);
        openssl_sys::X509_VERIFY_PARAM_set_auth_level(parameters, settings.security_level);
        for record in settings.records {
            let [usage, selector, matching_type, association @ ..] = record.rdata() else {
                continue;
            };
            // OpenSSL also takes the PKIX usages, which SMTP does not (RFC 7672 §3.1.3).
            if *usage < 2 {
                continue;
            }
            let added = SSL_dane_tlsa_add(
                raw,
                *usage,
                *selector,
                *matching_type,
                association.as_ptr(),
                association.len(),
            );
            usable += usize::from(added > 0);
        }
    }
    // Records that were not taken leave their reasons in the error queue.
    let _ = openssl::error::ErrorStack::get();
    usable
}

/// The chain as OpenSSL keeps it after parsing the certificate message.
pub(crate) fn parse(chain: &[impl AsRef<[u8]>]) -> Option<(X509, Stack<X509>)> {
    let mut stack = Stack::new().unwrap();
    let mut leaf = None;
    for entry in chain {
        let entry = entry.as_ref();
        let certificate = X509::from_der(entry).ok()?;
        // Octets behind a certificate are fatal in a handshake.
        if element_length(entry) != Some(entry.len()) {
            return None;
        }
        if leaf.is_none() {
            leaf = Some(certificate.clone());
        }
        stack.push(certificate).unwrap();
    }
    Some((leaf?, stack))
}

/// Octets of the first element of `entry`.
fn element_length(entry: &[u8]) -> Option<usize> {
    let count = match *entry.get(1)? {
        short @ 0..=0x7f => return Some(2 + usize::from(short)),
        long => usize::from(long & 0x7f),
    };
    let octets = entry.get(2..2 + count)?;
    let length = octets
        .iter()
        .fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
    Some(2 + count + length)
}

/// Verifies as the end of a handshake does.
pub(crate) fn verify(ssl: &Ssl, leaf: &X509, chain: &Stack<X509>) -> Answer {
    let raw = ssl.as_ptr();
    // SAFETY: all objects are alive during the block; the store context, which borrows from them,
    // is freed at its end.
    unsafe {
        let store_context = openssl_sys::X509_STORE_CTX_new();
        assert!(!store_context.is_null());
        let store = openssl_sys::SSL_CTX_get_cert_store(ssl.ssl_context().as_ptr());
        let initialised = openssl_sys::X509_STORE_CTX_init(
            store_context,
            store,
            leaf.as_ptr(),
            chain.as_ptr().cast(),
        );
        assert_eq!(initialised, 1);
        X509_STORE_CTX_set0_dane(store_context, SSL_get0_dane(raw));
        X509_STORE_CTX_set_default(store_context, c"ssl_server".as_ptr());
        let parameters = X509_STORE_CTX_get0_param(store_context);
        X509_VERIFY_PARAM_set1(parameters, openssl_sys::SSL_get0_param(raw));
        let verified = openssl_sys::X509_verify_cert(store_context);
        let error = openssl_sys::X509_STORE_CTX_get_error(store_context);
        openssl_sys::X509_STORE_CTX_free(store_context);
        SSL_set_verify_result(raw, c_long::from(error));
        if verified != 1 {
            let _ = openssl::error::ErrorStack::get();
            return Answer::Reject(error);
        }
    }
    matched(ssl)
}

/// Who authenticated a connection whose certificate was verified.
pub(crate) fn matched(ssl: &SslRef) -> Answer {
    let raw = ssl.as_ptr();
    // SAFETY: the connection is alive; OpenSSL writes through the three pointers only.
    unsafe {
        let depth = SSL_get0_dane_authority(raw, ptr::null_mut(), ptr::null_mut());
        let (mut usage, mut selector, mut matching_type) = (0, 0, 0);
        SSL_get0_dane_tlsa(
            raw,
            &raw mut usage,
            &raw mut selector,
            &raw mut matching_type,
            ptr::null_mut(),
            ptr::null_mut(),
        );
        Answer::Match {
            usage,
            depth: usize::try_from(depth).unwrap(),
        }
    }
}

/// All of it at once.
pub(crate) fn answer(chain: &[impl AsRef<[u8]>], settings: &Settings<'_>) -> Answer {
    let (ssl, usable) = connection(&context(), settings);
    if usable == 0 {
        return Answer::NoUsable;
    }
    match parse(chain) {
        None => Answer::Unparsable,
        Some((leaf, stack)) => verify(&ssl, &leaf, &stack),
    }
}
