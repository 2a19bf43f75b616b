"""Drawing of synthetic faces: subjects, shots, facial parts, brushes."""
