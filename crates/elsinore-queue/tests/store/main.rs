//! What [`QueueStore`](elsinore_queue::store::QueueStore) promises, held against each store. The suite
//! knows the contract alone; where a store lives, and how it is opened again, is a
//! [`Place`](place::Place).
//!
//! `ELSINORE_LONG` makes the slow ones long: half a million messages instead of some thousands.

mod cluster;
mod corpus;
mod crash;
mod cut;
mod damage;
mod fsync;
mod full;
mod load;
mod outage;
mod place;
mod power;
mod sample;
mod several;
mod suite;
mod tls;
mod unreadable;

/// One test for each promise and store.
macro_rules! conformance {
    ($($topic:ident { $($promise:ident)+ })+) => {
        $(mod $topic {
            $(mod $promise {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    let place = crate::place::sqlite();
                    crate::suite::$topic::$promise(&place).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    if let Some(place) = crate::place::postgres() {
                        crate::suite::$topic::$promise(&place).await;
                    }
                }
            })+
        })+
    };
}

conformance! {
    keeping {
        the_envelope_is_read_back_as_it_was
        octets_are_read_back_from_memory_and_from_files
        everything_is_there_after_closing_and_opening
        a_second_message_of_the_same_name_is_refused
        a_message_without_jobs_is_refused
        a_file_that_is_too_short_is_refused
        a_body_stays_readable_while_it_is_held
        a_message_goes_with_its_last_job
        a_closed_store_refuses
        an_envelope_of_ten_thousand_recipients
        an_empty_store_says_so
        tidying_loses_nothing
    }
    leasing {
        a_job_is_leased_once
        many_at_once_never_share_a_job
        a_lease_ends_by_itself
        a_lease_does_not_end_by_the_wall_clock
        a_renewed_lease_lasts
        what_is_handed_back_is_due_at_once
        a_stale_lease_changes_nothing
        leases_do_not_outlive_their_end_over_a_restart
    }
    order {
        jobs_that_are_due_first_come_first
        nothing_comes_before_it_is_due
        a_claim_takes_no_more_than_it_asks_for
        waiting_destinations_come_in_order_page_by_page
        next_due_sees_what_is_free
        a_clock_set_back_is_mended_by_bringing_forward
        what_is_brought_forward_while_leased_is_due_then
        wakeups_come_when_something_may_be_due
    }
    settling {
        what_is_left_is_due_again_as_written
        a_job_is_settled_once
        notices_are_queued_with_the_settlement
        a_notice_that_cannot_be_queued_settles_nothing
        settlements_survive_closing
        a_batch_answers_for_each
    }
    deeds {
        held_jobs_wait_for_release
        retry_makes_due_and_releases
        removed_jobs_are_gone
        what_is_held_while_leased_stays_held
        what_is_released_while_leased_is_free_afterwards
        what_is_removed_while_leased_is_lost
        a_deed_touches_only_what_matches
    }
    listing {
        pages_show_each_job_once
        a_page_shows_all_of_a_job
        filters_select
        stats_count
    }
    records {
        records_are_put_read_and_removed
        prefixes_are_taken_literally
        kinds_are_apart
        counts_add_up
        counts_add_up_when_many_add
        only_the_first_record_is_written
        records_survive_closing
    }
    crowd {
        one_slow_destination_among_a_thousand
        a_large_backlog_is_kept_and_drained
    }
    dropping {
        an_enqueue_dropped_midway_is_whole_or_nothing
        a_settlement_dropped_midway_is_whole_or_nothing
        a_claim_dropped_midway_leaves_nothing_stuck
    }
}
