"""Editions in their readers' languages"""

from alembic import op
import sqlalchemy as sa


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nothing refers to editions, so that SQLite may make the table anew.
    with op.batch_alter_table('editions', table_kwargs={'sqlite_autoincrement': True}) as batch:
        batch.add_column(sa.Column('language', sa.String(length=20), server_default='', nullable=False))
        batch.drop_constraint(op.f('uq_editions_campaign_id_cursor'), type_='unique')
        batch.create_unique_constraint(op.f('uq_editions_campaign_id_cursor_language'), ['campaign_id', 'cursor', 'language'])


def downgrade() -> None:
    raise NotImplementedError('restore the backup that was made before the upgrade')
