//! Parts of the model that are switched off: describes them, and switches single cells (docs/PAPERS.md, 1.11).

use crate::ablate::Ablation;
use crate::page::heads::contributions::Cell;
use crate::text::units;

/// Returns whether a component is switched off.
pub fn is_off(ablation: &Ablation, cell: Cell) -> bool {
    match cell {
        Cell::Head { layer, head } => ablation.heads.contains(&(layer, head)),
        Cell::Mlp { layer } => ablation.mlps.contains(&layer),
        Cell::Embedding => ablation.embedding,
    }
}

/// Switches a component off, or on again.
pub fn toggle(ablation: &mut Ablation, cell: Cell) {
    match cell {
        Cell::Head { layer, head } => flip(&mut ablation.heads, (layer, head)),
        Cell::Mlp { layer } => flip(&mut ablation.mlps, layer),
        Cell::Embedding => ablation.embedding = !ablation.embedding,
    }
}

/// Returns whether all of these heads are switched off. False without heads.
pub fn are_off(ablation: &Ablation, heads: &[(usize, usize)]) -> bool {
    !heads.is_empty() && heads.iter().all(|head| ablation.heads.contains(head))
}

/// Switches these heads off, or all of them on again if all are off.
pub fn toggle_heads(ablation: &mut Ablation, heads: &[(usize, usize)]) {
    if are_off(ablation, heads) {
        heads.iter().for_each(|head| {
            ablation.heads.remove(head);
        });
    } else {
        ablation.heads.extend(heads);
    }
}

fn flip<T: Ord>(set: &mut std::collections::BTreeSet<T>, value: T) {
    if !set.remove(&value) {
        set.insert(value);
    }
}

/// Describes the parts that are switched off: "2 heads, all MLPs"; empty if nothing is off.
pub fn summary(ablation: &Ablation, layers: usize) -> String {
    let mut parts = Vec::new();
    if !ablation.heads.is_empty() {
        parts.push(units::plural(ablation.heads.len() as u64, "head", "heads"));
    }
    match ablation.mlps.len() {
        0 => {}
        all if all == layers => parts.push("all MLPs".to_owned()),
        some => parts.push(units::plural(some as u64, "MLP", "MLPs")),
    }
    if ablation.embedding {
        parts.push("the embedding".to_owned());
    }
    if ablation.cls_to_cls {
        parts.push("CLS-to-CLS attention".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_goes_off_and_on_again() {
        let mut ablation = Ablation::default();
        for cell in [Cell::Head { layer: 3, head: 1 }, Cell::Mlp { layer: 2 }, Cell::Embedding] {
            toggle(&mut ablation, cell);
            assert!(is_off(&ablation, cell));
        }
        assert_eq!(summary(&ablation, 12), "1 head, 1 MLP, the embedding");
        for cell in [Cell::Head { layer: 3, head: 1 }, Cell::Mlp { layer: 2 }, Cell::Embedding] {
            toggle(&mut ablation, cell);
        }
        assert!(ablation.is_none());
        assert_eq!(summary(&ablation, 12), "");
    }

    #[test]
    fn heads_go_off_together_and_on_together() {
        let mut ablation = Ablation { heads: [(0, 0), (1, 1)].into(), ..Ablation::default() };
        let heads = [(1, 1), (2, 2)];
        assert!(!are_off(&ablation, &heads), "one of the two is on");
        toggle_heads(&mut ablation, &heads);
        assert!(are_off(&ablation, &heads));
        toggle_heads(&mut ablation, &heads);
        assert_eq!(ablation.heads, [(0, 0)].into(), "other heads stay as they are");
        assert!(!are_off(&ablation, &[]));
    }

    #[test]
    fn all_mlps_have_a_short_summary() {
        let ablation = Ablation { mlps: (0..12).collect(), cls_to_cls: true, ..Ablation::default() };
        assert_eq!(summary(&ablation, 12), "all MLPs, CLS-to-CLS attention");
    }
}
