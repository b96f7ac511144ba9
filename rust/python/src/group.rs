//! The bars of a segment, each with all entries and cells that stand for it.

use std::collections::HashMap;

use mp_tqdm_counters::{BarId, BarState, BarView, Cell, CellView, Tables};

use crate::stage::Local;

/// A bar with all entries and cells that stand for it.
pub(crate) struct Group {
    pub(crate) view: BarView,
    /// Two processes that open a bar at once may make two entries for it.
    pub(crate) ids: Vec<BarId>,
    pub(crate) cells: Vec<CellView>,
}

impl Group {
    /// The entry that this process knows the bar by, if it has opened it.
    pub(crate) fn id_here(&self, local: &HashMap<BarId, Local>) -> BarId {
        let here = self.ids.iter().find(|id| local.contains_key(id));
        here.copied().unwrap_or(self.view.id)
    }
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
            Some(group) => {
                group.ids.push(view.id);
                // It stands where it first stood.
                let sequence = view.sequence.min(group.view.sequence);
                if view.state == BarState::Open && group.view.state == BarState::Ended {
                    group.view = view;
                }
                group.view.sequence = sequence;
            }
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
