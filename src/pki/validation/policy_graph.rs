//! Certificate policies (RFC 5280 §6.1.2 to §6.1.6) as the graph of RFC 9618, which holds the same paths as RFC 5280's tree
//! and grows only with the number of policies and mappings, not exponentially.

use std::collections::{BTreeMap, BTreeSet};

use der::asn1::ObjectIdentifier;

use super::extensions::{ANY_POLICY, PolicyMapping};

/// One policy at one depth.
#[derive(Debug, Clone, Default)]
struct Node {
    /// The policies one level up that lead here; none: anyPolicy does.
    parents: BTreeSet<ObjectIdentifier>,
}

/// The policies that are valid down to one certificate.
#[derive(Debug, Clone, Default)]
struct Level {
    nodes: BTreeMap<ObjectIdentifier, Node>,
    /// Whether anyPolicy is there.
    has_any: bool,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && !self.has_any
    }
}

/// The policies from the anchor down to the certificate that is being processed.
#[derive(Debug, Clone)]
pub(super) struct PolicyGraph {
    /// The levels above.
    above: Vec<Level>,
    /// The level that the next certificate's policies are held against, then that of the certificate itself.
    current: Level,
}

impl PolicyGraph {
    /// At the anchor every policy is valid (RFC 5280 §6.1.2 a).
    pub(super) fn new() -> Self {
        Self { above: Vec::new(), current: Level { nodes: BTreeMap::new(), has_any: true } }
    }

    /// Whether no policy is left: the tree of RFC 5280 would be NULL.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Takes in a certificate's policies; anyPolicy counts where `any_counts` (RFC 5280 §6.1.3 d, e).
    pub(super) fn restrict(&mut self, policies: Option<&BTreeSet<ObjectIdentifier>>, any_counts: bool) {
        let Some(policies) = policies else {
            self.current = Level::default();
            return;
        };
        let has_any = any_counts && policies.contains(&ANY_POLICY);
        if !has_any {
            self.current.nodes.retain(|policy, _| policies.contains(policy));
        }
        if self.current.has_any {
            for policy in policies.iter().filter(|policy| **policy != ANY_POLICY) {
                self.current.nodes.entry(*policy).or_default();
            }
        }
        self.current.has_any &= has_any;
    }

    /// Goes one level down, through the mappings of a certificate where they count (RFC 5280 §6.1.4 b).
    pub(super) fn descend(&mut self, mappings: &[PolicyMapping], mappings_count: bool) {
        let mut next = Level { nodes: BTreeMap::new(), has_any: self.current.has_any };
        let mapped: BTreeSet<ObjectIdentifier> = mappings.iter().map(|mapping| mapping.issuer).collect();
        if mappings_count {
            for mapping in mappings {
                if self.current.has_any {
                    self.current.nodes.entry(mapping.issuer).or_default();
                }
                if self.current.nodes.contains_key(&mapping.issuer) {
                    next.nodes.entry(mapping.subject).or_default().parents.insert(mapping.issuer);
                }
            }
        } else {
            self.current.nodes.retain(|policy, _| !mapped.contains(policy));
        }
        for policy in self.current.nodes.keys().filter(|policy| !mapped.contains(*policy)) {
            next.nodes.entry(*policy).or_default().parents.insert(*policy);
        }
        self.above.push(std::mem::replace(&mut self.current, next));
    }

    /// The policies, in the anchor's terms, under which the whole path is valid; anyPolicy stands for every one (RFC 9618 §5.5).
    pub(super) fn authority_constrained(&self) -> BTreeSet<ObjectIdentifier> {
        let mut found = BTreeSet::new();
        if self.current.has_any {
            found.insert(ANY_POLICY);
        }
        let mut reached: BTreeSet<ObjectIdentifier> = self.current.nodes.keys().copied().collect();
        for level in std::iter::once(&self.current).chain(self.above.iter().rev()) {
            let mut parents = BTreeSet::new();
            for policy in reached {
                match level.nodes.get(&policy) {
                    Some(node) if node.parents.is_empty() => {
                        found.insert(policy);
                    }
                    Some(node) => parents.extend(node.parents.iter().copied()),
                    None => {}
                }
            }
            reached = parents;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(last: u32) -> ObjectIdentifier {
        ObjectIdentifier::new(&format!("1.2.3.{last}")).unwrap()
    }

    fn set(policies: &[u32]) -> BTreeSet<ObjectIdentifier> {
        policies.iter().map(|last| policy(*last)).collect()
    }

    fn mapping(issuer: u32, subject: u32) -> PolicyMapping {
        PolicyMapping { issuer: policy(issuer), subject: policy(subject) }
    }

    #[test]
    fn policies_are_told_in_the_terms_of_the_anchor() {
        let mut graph = PolicyGraph::new();
        graph.restrict(Some(&set(&[1, 2])), true);
        graph.descend(&[mapping(1, 9)], true);
        graph.restrict(Some(&set(&[9])), true);
        assert_eq!(graph.authority_constrained(), set(&[1]));
        // Mapping inhibited: the mapped policy is gone.
        let mut graph = PolicyGraph::new();
        graph.restrict(Some(&set(&[1, 2])), true);
        graph.descend(&[mapping(1, 9)], false);
        graph.restrict(Some(&set(&[1, 9])), true);
        assert!(graph.is_empty());
    }

    #[test]
    fn any_policy_ends_where_it_is_not_repeated() {
        let any = BTreeSet::from([ANY_POLICY]);
        let mut graph = PolicyGraph::new();
        graph.restrict(Some(&any), true);
        graph.descend(&[], true);
        graph.restrict(Some(&set(&[3])), true);
        assert_eq!(graph.authority_constrained(), set(&[3]));
        graph.descend(&[], true);
        graph.restrict(Some(&any), false);
        assert!(graph.is_empty());
        let mut graph = PolicyGraph::new();
        graph.restrict(None, true);
        assert!(graph.is_empty());
    }

    /// RFC 9618 §1: with RFC 5280's tree every level would double.
    #[test]
    fn mappings_of_all_to_all_cost_no_more_than_there_are() {
        let all: Vec<u32> = (0..40).collect();
        let mappings: Vec<_> = all.iter().flat_map(|from| all.iter().map(|to| mapping(*from, *to))).collect();
        let mut graph = PolicyGraph::new();
        for _ in 0..30 {
            graph.restrict(Some(&set(&all)), true);
            graph.descend(&mappings, true);
        }
        graph.restrict(Some(&set(&all)), true);
        assert_eq!(graph.authority_constrained(), set(&all));
    }
}
