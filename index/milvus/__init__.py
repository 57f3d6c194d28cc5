"""Collections of vectors in Milvus, for catalogues that outgrow one machine."""
