"""How many entries a feed had, which tells older ones that slid into it from back-dated ones"""

import sqlalchemy as sa
from alembic import op


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('feeds', sa.Column('entries_at_once', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    raise NotImplementedError('restore the backup that was made before the upgrade')
