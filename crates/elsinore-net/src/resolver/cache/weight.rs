//! How much memory a value takes: what it has on the heap, each block as the allocator rounds it.

use crate::resolver::wire::{Message, Name, Record};
use elsinore_dane::answer::{Answer, Denial, Failure, Last, RecordData};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Status;
use std::mem::size_of;
use std::sync::Arc;

/// Octets that a heap block of `length` takes: a header, and a multiple of 16.
pub(in crate::resolver) const fn block(length: usize) -> usize {
    if length == 0 {
        0
    } else {
        (length + 8).next_multiple_of(16)
    }
}

/// Something whose memory is counted.
pub(in crate::resolver) trait Weigh {
    /// Octets on the heap that it owns, itself not included. Shared parts count in full.
    fn heap(&self) -> usize;
}

/// The block of a reference-counted value: two counters beside it.
pub(in crate::resolver) const fn shared_block(length: usize) -> usize {
    block(length + 2 * size_of::<usize>())
}

impl Weigh for Name {
    fn heap(&self) -> usize {
        match self.shared_octets() {
            0 => 0,
            octets => shared_block(octets),
        }
    }
}

impl Weigh for DomainName {
    fn heap(&self) -> usize {
        shared_block(self.as_str().len())
    }
}

impl Weigh for String {
    fn heap(&self) -> usize {
        block(self.capacity())
    }
}

impl<T: Weigh> Weigh for Vec<T> {
    fn heap(&self) -> usize {
        let parts: usize = self.iter().map(Weigh::heap).sum();
        block(self.capacity() * size_of::<T>()) + parts
    }
}

impl<T: Weigh> Weigh for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Weigh::heap)
    }
}

impl Weigh for Record {
    fn heap(&self) -> usize {
        self.owner.heap() + block(self.rdata.capacity())
    }
}

impl Weigh for Message {
    fn heap(&self) -> usize {
        let sections = [&self.answer, &self.authority, &self.additional];
        let records: usize = sections.into_iter().map(Weigh::heap).sum();
        let wire = self
            .wire
            .as_ref()
            .map_or(0, |wire| shared_block(wire.len()));
        records + wire + self.ede.as_ref().map_or(0, |ede| ede.text.heap())
    }
}

impl Weigh for Arc<str> {
    fn heap(&self) -> usize {
        shared_block(self.len())
    }
}

impl Weigh for Status {
    fn heap(&self) -> usize {
        shared_block(self.reason().len())
    }
}

impl Weigh for Denial {
    fn heap(&self) -> usize {
        self.status.heap()
    }
}

impl Weigh for Failure {
    fn heap(&self) -> usize {
        self.status.heap() + self.ede.as_ref().map_or(0, |ede| ede.text.heap())
    }
}

impl Weigh for RecordData {
    fn heap(&self) -> usize {
        match self {
            Self::A(_) | Self::Aaaa(_) => 0,
            Self::Mx { exchange, .. } => exchange.heap(),
            Self::Tlsa(record) => block(record.rdata().len()),
            Self::Txt(octets) => block(octets.capacity()),
            Self::Name(name) => name.heap(),
            Self::Other(text) => text.heap(),
        }
    }
}

impl Weigh for Answer {
    fn heap(&self) -> usize {
        let links: usize = self
            .chain
            .iter()
            .map(|link| {
                size_of_val(link) + link.owner.heap() + link.target.heap() + link.status.heap()
            })
            .sum();
        let last = match &self.last {
            Last::Data(rrset) => rrset.owner.heap() + rrset.records.heap() + rrset.status.heap(),
            Last::Denied(denial) => denial.heap(),
            Last::Failed(failure) => failure.heap(),
        };
        self.question.name.heap() + links + last
    }
}
