//! The promises, topic by topic. Each function gets an empty store's place.

pub(crate) mod crowd;
pub(crate) mod deeds;
pub(crate) mod dropping;
pub(crate) mod keeping;
pub(crate) mod leasing;
pub(crate) mod listing;
pub(crate) mod order;
pub(crate) mod records;
pub(crate) mod settling;
