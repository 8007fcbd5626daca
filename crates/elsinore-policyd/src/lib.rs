//! The decisions of the sender, served to other MTAs: socketmap for Postfix, JSON over HTTP.
//!
//! Nothing is decided here: [`advice`] asks the sender's own engine (`elsinore-dane` through
//! `elsinore-net`), and [`mapping`] says its plan in the words of Postfix' `smtp_tls_policy_maps`,
//! row by row. The rest keeps answers for as long as DNS allows ([`desk`], [`cache`]) and serves
//! them ([`socketmap`], [`server`], [`http`]).

pub mod advice;
pub mod cache;
pub mod desk;
pub mod http;
pub mod lookup_key;
pub mod mapping;
pub mod metrics;
pub mod server;
pub mod settings;
pub mod socketmap;

mod document;
