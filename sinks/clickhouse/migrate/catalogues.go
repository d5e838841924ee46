package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tidemark/schemas"
)

// LastCatalogue returns the catalogue that the views of the database were made of last, and when; nil if that is not known.
func LastCatalogue(ctx context.Context, db *sql.DB) (*schemas.Catalogue, time.Time, error) {
	var kept uint64
	const table = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'catalogues'"
	if err := db.QueryRowContext(ctx, table).Scan(&kept); err != nil {
		return nil, time.Time{}, fmt.Errorf("look for the last catalogue: %w", err)
	}
	if kept == 0 {
		return nil, time.Time{}, nil
	}
	var at time.Time
	var declared string
	err := db.QueryRowContext(ctx, "SELECT at, declared FROM catalogues ORDER BY at DESC LIMIT 1").Scan(&at, &declared)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, time.Time{}, nil
	case err != nil:
		return nil, time.Time{}, fmt.Errorf("read the last catalogue: %w", err)
	}
	cat, err := schemas.Whole("the catalogue of "+at.UTC().Format(time.RFC3339), []byte(declared))
	if err != nil {
		return nil, at, fmt.Errorf("the catalogue that the views were made of last is of another version of Tidemark: %w", err)
	}
	return cat, at, nil
}

// keepCatalogue notes what the views are made of, if it is not what the last ones were made of.
func keepCatalogue(ctx context.Context, db *sql.DB, cat *schemas.Catalogue) error {
	var last string
	err := db.QueryRowContext(ctx, "SELECT everything FROM catalogues ORDER BY at DESC LIMIT 1").Scan(&last)
	if err == nil && last == cat.ViewsHash() {
		return nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the last catalogue: %w", err)
	}
	const insert = "INSERT INTO catalogues (at, catalogue, everything, declared) SELECT now64(3, 'UTC'), ?, ?, ?"
	if _, err := db.ExecContext(ctx, insert, cat.Hash(), cat.ViewsHash(), string(cat.Declared())); err != nil {
		return fmt.Errorf("keep the catalogue: %w", err)
	}
	return nil
}
