//! The decisions of the sender, served to other MTAs: socketmap for Postfix, JSON over HTTP.
