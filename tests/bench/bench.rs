//! `make bench`: what parlor costs, beside what the same work costs at the least. A line of JSON
//! for each work, then one table. README.md, "How fast", says how to read it.
//!
//! `make bench WORK=storm` runs one of them.

mod crowd;
mod floor;
mod requests;
mod seed;
mod server;
mod works;

use serde_json::{Value, json};

/// What one work came to.
#[derive(Default)]
pub struct Row {
    pub work: &'static str,
    /// Deliveries or answers a second.
    pub per_second: f64,
    /// In milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// CPU of the server, in microseconds for each delivery or answer.
    pub cpu: f64,
    /// The least that it could be, measured in the same run; 0: there is none.
    pub floor: f64,
    /// In MB (10^6 bytes).
    pub rss: f64,
    pub threads: u64,
    pub lost: u64,
    pub repeated: u64,
    pub out_of_order: u64,
    /// What else there is to say, with its unit in its name.
    pub more: Vec<(&'static str, f64)>,
    /// What issue 4 asks for, and whether it holds.
    pub targets: Vec<(String, bool)>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        (self.floor > 0.0).then(|| self.cpu / self.floor)
    }

    fn json(&self) -> Value {
        let more: serde_json::Map<_, _> = self
            .more
            .iter()
            .map(|(name, n)| ((*name).to_owned(), json!(n)))
            .collect();
        json!({
            "work": self.work, "per_second": self.per_second, "p50_ms": self.p50,
            "p99_ms": self.p99, "cpu_us": self.cpu, "floor_us": self.floor,
            "ratio": self.ratio(), "rss_mb": self.rss, "threads": self.threads,
            "lost": self.lost, "repeated": self.repeated, "out_of_order": self.out_of_order,
            "more": more,
            "targets": self.targets.iter().map(|(what, held)| json!([what, held])).collect::<Vec<_>>(),
        })
    }

    fn line(&self) -> String {
        let floor = self
            .ratio()
            .map_or("| |".into(), |r| format!("{:.2} | {r:.2} |", self.floor));
        let missed: Vec<_> = self
            .targets
            .iter()
            .filter(|t| !t.1)
            .map(|t| t.0.as_str())
            .collect();
        format!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {floor} {:.1} | {} | {} / {} / {} | {} |",
            self.work,
            self.per_second,
            self.p50,
            self.p99,
            self.cpu,
            self.rss,
            self.threads,
            self.lost,
            self.repeated,
            self.out_of_order,
            if missed.is_empty() {
                "yes".into()
            } else {
                format!("no: {}", missed.join("; "))
            }
        )
    }
}

/// The one below which so many of a hundred are, in milliseconds from microseconds.
pub fn percentile(latencies: &mut [u32], percent: f64) -> f64 {
    latencies.sort_unstable();
    let index = (latencies.len() as f64 * percent / 100.0) as usize;
    latencies
        .get(index.min(latencies.len().saturating_sub(1)))
        .map_or(0.0, |n| f64::from(*n) / 1e3)
}

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(floor::ARGUMENT) {
        return floor::run(&args.next().unwrap_or_default());
    }
    let wished: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let all = works::ALL;
    if let Some(unknown) = wished
        .iter()
        .find(|w| all.iter().all(|(name, _)| name != w))
    {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "there is no work {unknown:?}; there are {}",
            names.join(", ")
        );
        std::process::exit(2);
    }
    let mut rows = vec![];
    for (name, work) in all {
        if wished.is_empty() || wished.iter().any(|w| w == name) {
            eprintln!("{name} …");
            let row = work();
            println!("{}", row.json());
            rows.push(row);
        }
    }
    println!(
        "\n| work | a second | p50 ms | p99 ms | CPU µs each | floor µs | ratio | RSS MB | threads | lost / repeated / out of order | as wanted |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    rows.iter().for_each(|row| println!("{}", row.line()));
    for row in &rows {
        let more: Vec<_> = row
            .more
            .iter()
            .map(|(name, n)| format!("{name} {n:.2}"))
            .collect();
        if !more.is_empty() {
            println!("\n{}: {}", row.work, more.join(", "));
        }
    }
}
