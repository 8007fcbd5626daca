//! The address for the administrator and the machines that watch.
