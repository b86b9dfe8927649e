//! Which SQL Servers Stopmark expects to work with: the matrix of `docs/versions.md`, told for one host.
//!
//! Start at [`support`]. Versions are from Microsoft's tables of releases; none of them was run live.

/// The releases: the first number of the version, the year, and the first build that is expected to work.
/// 2016 begins with SP2, the first with distributed transactions between databases of an availability group.
const RELEASES: [(u32, &str, u32); 5] = [
    (13, "2016", 5026),
    (14, "2017", 0),
    (15, "2019", 0),
    (16, "2022", 0),
    (17, "2025", 0),
];

/// What is expected of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// It is in the matrix.
    Expected {
        /// The year of the release.
        release: &'static str,
        /// Backups are not compressed there: Express has no compression.
        is_express: bool,
    },
    /// It is a service in the cloud: nobody can take log backups there, or place marks.
    Cloud,
    /// It may work, and nobody has looked.
    Unknown {
        /// Why, in a few words.
        why: &'static str,
    },
}

/// What is expected of a host with this `SERVERPROPERTY('ProductVersion')` and this `SERVERPROPERTY('Edition')`.
#[must_use]
pub fn support(version: &str, edition: &str) -> Support {
    // Azure SQL Database and Managed Instance alike; both call themselves version 12.
    if edition.starts_with("SQL Azure") {
        return Support::Cloud;
    }
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let mut number = || numbers.next().and_then(Result::ok);
    let (Some(major), Some(_), Some(build)) = (number(), number(), number()) else {
        let why = "its version cannot be read";
        return Support::Unknown { why };
    };
    let known = RELEASES.iter().find(|(number, ..)| *number == major);
    match known {
        Some((_, release, first)) if build >= *first => Support::Expected {
            release,
            is_express: edition.starts_with("Express"),
        },
        _ if major <= RELEASES[0].0 => Support::Unknown {
            why: "it is older than SQL Server 2016 SP2",
        },
        _ => Support::Unknown {
            why: "it is newer than SQL Server 2025",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_that_of_the_page_on_versions() {
        let developer = "Developer Edition (64-bit)";
        let years = |version| match support(version, developer) {
            Support::Expected { release, .. } => release,
            Support::Unknown { why } => why,
            Support::Cloud => "cloud",
        };
        for (version, expected) in [
            ("12.0.6024.0", "it is older than SQL Server 2016 SP2"),
            ("13.0.4001.0", "it is older than SQL Server 2016 SP2"),
            ("13.0.5026.0", "2016"),
            ("14.0.1000.169", "2017"),
            ("15.0.2000.5", "2019"),
            ("16.0.4175.1", "2022"),
            ("17.0.1000.7", "2025"),
            ("18.0.1.0", "it is newer than SQL Server 2025"),
            ("16", "its version cannot be read"),
            ("", "its version cannot be read"),
        ] {
            assert_eq!(years(version), expected, "{version}");
        }
        let page = include_str!("../../docs/versions.md");
        let line = page
            .lines()
            .find(|line| line.starts_with("| SQL Server 2016"));
        let line = line.expect("the line of releases");
        for (_, release, _) in RELEASES {
            assert!(line.contains(release), "{release} is not in {line}");
        }
    }

    #[test]
    fn express_and_the_cloud_are_known_by_their_edition() {
        let express = support("16.0.1000.6", "Express Edition (64-bit)");
        let expected = Support::Expected {
            release: "2022",
            is_express: true,
        };
        assert_eq!(express, expected);
        assert_eq!(support("12.0.2000.8", "SQL Azure"), Support::Cloud);
    }
}
