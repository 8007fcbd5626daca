//! Figures as a table of 80 columns.

use super::contender::Cost;

/// One line of the table: medians over the rounds.
#[derive(Debug, Clone)]
pub(super) struct Row {
    name: String,
    per_core: f64,
    cpu: f64,
    wall: f64,
    packets: f64,
    per_question: f64,
    peak: f64,
}

impl Row {
    /// The medians of `costs`, each of a pass over `questions`.
    pub(super) fn new(name: &str, questions: usize, costs: &[Cost]) -> Self {
        let questions = questions as f64;
        let median = |figure: &dyn Fn(&Cost) -> f64| {
            let mut figures: Vec<f64> = costs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or(0.0)
        };
        let cpu = median(&|cost| cost.cpu);
        let packets = median(&|cost| cost.packets as f64);
        Self {
            name: name.to_owned(),
            per_core: questions / cpu.max(0.001),
            cpu,
            wall: questions / median(&|cost| cost.wall).max(0.001),
            packets,
            per_question: packets / questions,
            peak: median(&|cost| cost.peak as f64) / 1e6,
        }
    }
}

/// Prints the rows, then the first in proportion to each other.
pub(super) fn print(title: &str, rows: &[Row]) {
    println!(
        "{title:20} {:>10} {:>8} {:>10} {:>10} {:>8} {:>8}",
        "q/s/core", "CPU s", "q/s", "packets", "per q", "peak MB"
    );
    for row in rows {
        println!(
            "{:20} {:>10.0} {:>8.2} {:>10.0} {:>10.0} {:>8.2} {:>8.0}",
            row.name, row.per_core, row.cpu, row.wall, row.packets, row.per_question, row.peak
        );
    }
    let Some((first, others)) = rows.split_first() else {
        return;
    };
    for row in others {
        let ratio = |ours: f64, theirs: f64| ours / theirs.max(0.001);
        println!(
            "{:20} {:>10.2} {:>8.2} {:>10.2} {:>10.2} {:>8} {:>8.2}",
            format!("  / {}", row.name),
            ratio(first.per_core, row.per_core),
            ratio(first.cpu, row.cpu),
            ratio(first.wall, row.wall),
            ratio(first.packets, row.packets),
            "",
            ratio(first.peak, row.peak),
        );
    }
    println!();
}
