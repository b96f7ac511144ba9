//! The bars of a segment, each with all entries and cells that stand for it.

use std::collections::HashMap;

use mp_tqdm_counters::{BarEntry, BarId, BarState, BarView, Cell, CellView, Tables, shared_start};

use crate::shared::Local;
use crate::traits::shared_traits;

/// A bar with all entries and cells that stand for it.
pub(crate) struct Group {
    /// What the entries come to.
    pub(crate) view: BarView,
    /// Two processes that open a bar at once may make two entries for it.
    pub(crate) ids: Vec<BarId>,
    pub(crate) cells: Vec<CellView>,
}

impl Group {
    /// One more entry. The texts are those of the process that goes first, as within an entry; the bar
    /// stands where it first stood, and is open while any of its entries is.
    fn take_in(&mut self, view: BarView, tables: &Tables) {
        let differs = common_desc(tables, view.id) != common_desc(tables, self.view.id);
        let (first, other) = if view.order < self.view.order {
            (view, self.view)
        } else {
            (self.view, view)
        };
        self.ids.push(view.id);
        self.view = BarView {
            state: if other.state == BarState::Open {
                other.state
            } else {
                first.state
            },
            traits: shared_traits(first.traits, other.traits),
            sequence: first.sequence.min(other.sequence),
            other_descs: first.other_descs + other.other_descs + u32::from(differs),
            ..first
        };
    }

    /// What the first descs of all openers begin with.
    pub(crate) fn common_desc(&self, tables: &Tables) -> String {
        let descs = self.ids.iter().map(|id| common_desc(tables, *id));
        descs
            .reduce(|one, other| shared_start(&one, &other))
            .unwrap_or_default()
    }

    /// The entry that this process knows the bar by, if it has opened it.
    pub(crate) fn id_here(&self, local: &HashMap<BarId, Local>) -> BarId {
        let here = self.ids.iter().find(|id| local.contains_key(id));
        here.copied().unwrap_or(self.view.id)
    }
}

fn common_desc(tables: &Tables, id: BarId) -> String {
    let text = |entry: &BarEntry| entry.common_desc.get_string();
    tables.bars().entry(id).and_then(text).unwrap_or_default()
}

/// All bars, in the order of their lines.
pub(crate) fn groups(tables: &Tables) -> Vec<Group> {
    let (bars, cells) = (tables.bars(), tables.cells());
    let mut groups: Vec<Group> = Vec::new();
    for view in bars.views() {
        match groups
            .iter_mut()
            .find(|group| group.view.identity == view.identity)
        {
            Some(group) => group.take_in(view, tables),
            None => groups.push(Group {
                view,
                ids: vec![view.id],
                cells: Vec::new(),
            }),
        }
    }
    for cell in cells.used().filter_map(Cell::read) {
        if let Some(group) = groups
            .iter_mut()
            .find(|group| group.ids.contains(&cell.key.bar))
        {
            group.cells.push(cell);
        }
    }
    groups.sort_by_key(|group| (group.view.position.unwrap_or(0), group.view.sequence));
    groups
}
